"""Names of classes that a model brings itself, and those of ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.spec.spec import ModelSpec


def own_class_names(module: nn.Module, spec: ModelSpec, outputs: int) -> tuple[str, ...]:
    """Returns the name of the class of each output as the configuration of a module states it.

    See :func:`stated_class_names`; of weights that timm downloads for ImageNet, its names. A configuration says nothing of
    weights from a file, nor of random ones.

    Args:
        module: As it was made.
        spec: Says where its weights come from.
        outputs: Number of its outputs.

    Returns:
        As many names; none where it states none.
    """
    if spec.weights is not None or spec.random_weights:
        return ()
    names = stated_class_names(module, outputs)
    if names:
        return names
    if spec.pretrained and ":" not in spec.name and outputs == _IMAGENET_CLASSES:
        return imagenet_class_names()
    return ()


def stated_class_names(module: nn.Module, outputs: int) -> tuple[str, ...]:
    """Returns the name of the class of each output as a module states it for the weights that it has.

    That is its ``class_names``, ``label_names`` of timm's configuration, or ``id2label`` of a transformers model.

    Args:
        module: As it was made.
        outputs: Number of its outputs.

    Returns:
        As many names; none where it states none, or not one for each output.
    """
    config = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None) or {}
    by_id = getattr(getattr(module, "config", None), "id2label", None)
    stated = (
        getattr(module, "class_names", None),
        config.get("label_names") if isinstance(config, Mapping) else None,
        [by_id[output] for output in sorted(by_id)]
        if isinstance(by_id, Mapping) and set(by_id) == set(range(outputs))
        else None,
    )
    unnamed = tuple(f"LABEL_{output}" for output in range(outputs))  # as transformers calls classes that nobody named
    return next((names for names in map(_texts, stated) if len(names) == outputs and names != unnamed), ())


_IMAGENET_CLASSES = 1000


def imagenet_class_names() -> tuple[str, ...]:
    """Returns the 1000 names of ImageNet's classes, from timm's copy of them."""
    ensure_torchvision_schemas()
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(str(info.index_to_description(index)) for index in range(_IMAGENET_CLASSES))


def _texts(names: Any) -> tuple[str, ...]:
    """The names, if all are texts that say something."""
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name.strip() for name in names):
        return ()
    return tuple(names)
