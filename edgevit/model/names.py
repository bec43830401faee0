"""What the name of a model means."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edgevit.model.bundled import BUNDLED_MODELS

CAPTURED_SUFFIX = ".pt2"
HUB = "hf-hub:"
"""Begins the name of a model of timm in a repository of Hugging Face: "hf-hub:timm/resnet18.a1_in1k"."""
LOCAL = "local-dir:"
"""Begins the name of a folder that holds what such a repository does: ``config.json`` and weights."""
TRANSFORMERS = "transformers:"
"""Begins the name of an image classifier of transformers: a repository of Hugging Face, or a folder."""

ModelKind = Literal["bundled", "captured", "factory", "timm", "hub", "local", "transformers"]


def kind_of(name: str) -> ModelKind:
    """Returns what kind of model a name means.

    A bundled model, the path of a captured program (.pt2), ``hf-hub:``, ``local-dir:`` or ``transformers:`` and what follows, any
    other name with a colon as a factory, and the rest as timm's.
    """
    if name in BUNDLED_MODELS:
        return "bundled"
    if ":" not in name:
        return "captured" if name.endswith(CAPTURED_SUFFIX) else "timm"
    kinds: tuple[tuple[str, ModelKind], ...] = ((HUB, "hub"), (LOCAL, "local"), (TRANSFORMERS, "transformers"))
    return next((kind for start, kind in kinds if name.startswith(start)), "factory")


def is_captured(name: str) -> bool:
    """Returns whether a model's name is the path of a captured program."""
    return kind_of(name) == "captured"


def folder_of(name: str) -> Path | None:
    """Returns the folder that holds a model of timm or transformers; None where it is no folder of this machine.

    Args:
        name: Of the model.
    """
    if kind_of(name) not in ("local", "transformers"):
        return None
    folder = Path(name.partition(":")[2]).expanduser()
    return folder if kind_of(name) == "local" or folder.is_dir() else None


def has_own_weights(name: str) -> bool:
    """Returns whether weights come with a name, from this machine: a bundled model, a captured program or a folder."""
    return kind_of(name) in ("bundled", "captured") or folder_of(name) is not None
