"""Lets ``import timm`` work where torchvision cannot load its compiled operators.

timm imports torchvision, and torchvision describes two of its compiled operators to ``torch.export`` while it
is being imported. Where the compiled file does not load (a torchvision built for CUDA beside a CPU-only torch
is the common case), those operators do not exist and the import stops with "operator torchvision::nms does
not exist", although nothing here ever calls them. Declaring their schemas is enough for the import to go
through; calling one of them still fails, as it should.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")  # the two that torchvision registers by name at import, compiled file or not


@functools.cache
def ensure_torchvision_schemas() -> torch.library.Library | None:
    """Declares torchvision's import-time operators if, and only if, torchvision's own file cannot.

    To be called before the first ``import timm`` of a module. The compiled file is loaded first, as torchvision itself
    does, so an intact installation keeps its real operators. torchvision is not imported here. Later calls cost nothing
    and return the same object.

    Returns:
        The library object that holds the declarations (they live as long as it does; this function's cache keeps it),
        or None where nothing was missing or torchvision is not installed.
    """
    if importlib.util.find_spec("torchvision") is None:
        return None
    _load_compiled_operators()
    missing = [name for name in _OPERATORS if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in missing:
        library.define(name + _SCHEMA)  # type: ignore[no-untyped-call]
    return library


def _load_compiled_operators() -> None:
    """Loads torchvision's ``_C`` file as torchvision does; a file that does not load is skipped."""
    package = importlib.util.find_spec("torchvision")
    folders = package.submodule_search_locations if package is not None else None
    for folder in folders or ():
        for file in sorted([*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")]):
            try:
                torch.ops.load_library(str(file))  # type: ignore[no-untyped-call]
            except OSError:
                continue
