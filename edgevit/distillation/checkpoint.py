"""A training that was stopped goes on where it was: what it needs for that, on disk."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from edgevit.run.files import write_atomically


def save_checkpoint(path: Path, key: str, state: dict[str, Any]) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: Where to write.
        key: Names what is trained, on what and how.
        state: Tensors, numbers, strings, and lists and dicts of these.
    """
    buffer = io.BytesIO()
    torch.save({"key": key, "state": state}, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """Returns what :func:`save_checkpoint` wrote; None where nothing was, or for another key."""
    if not path.is_file():
        return None
    document = torch.load(path, map_location="cpu", weights_only=True)
    state: dict[str, Any] = document["state"]
    return state if document["key"] == key else None
