"""A complete small vision task that needs no network: 1,797 real handwritten digits, a ViT and a CNN to teach it.

The images ship with scikit-learn, the two trained models with edgevit (under 1 MB each, beside this file), so
the whole main path — distill, reduce tokens, export, quantize, verify, evaluate, measure — can be run and
checked offline. `python -m edgevit.digits.train` makes the weights again from nothing.

Importing this package loads neither torch nor scikit-learn; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevit.digits.data import SPLITS, DigitsSplit, load_split
    from edgevit.digits.models import digits_cnn, digits_vit, weights_path

__all__ = ["SPLITS", "DigitsSplit", "digits_cnn", "digits_vit", "load_split", "weights_path"]

_HOME = {
    "SPLITS": "edgevit.digits.data",
    "DigitsSplit": "edgevit.digits.data",
    "load_split": "edgevit.digits.data",
    "digits_cnn": "edgevit.digits.models",
    "digits_vit": "edgevit.digits.models",
    "weights_path": "edgevit.digits.models",
}


def __getattr__(name: str) -> object:
    """Import a re-exported name when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
