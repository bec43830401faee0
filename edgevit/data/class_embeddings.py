"""Embeddings of classes, in an ``.npz`` archive: what makes an image tower of CLIP's kind a zero-shot classifier."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.image_arrays import BROKEN_ARRAY
from edgevit.errors import UsageError, first_line
from edgevit.spec.input_file import require_file

DEFAULT_SCALE = 100.0
"""At which CLIP's training holds its own: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
2021, section 2.5."""
_FORM = (
    "write it with numpy.savez(file, embeddings=..., names=...): float32 [classes, width] of text features, and the name of each"
    " class; logit_scale is optional"
)


@dataclass(frozen=True)
class ClassEmbeddings:
    """A direction for each class, in the space of the image tower."""

    embeddings: np.ndarray
    """float32 [classes, width], not normalized."""
    names: tuple[str, ...]
    """Of each class."""
    logit_scale: float
    """By which cosines are multiplied."""

    @property
    def width(self) -> int:
        """Number of values of each embedding."""
        return int(self.embeddings.shape[1])


def read_class_embeddings(path: Path) -> ClassEmbeddings:
    """Reads the embeddings of classes.

    Args:
        path: ``.npz`` with ``embeddings`` float [classes, width], ``names`` [classes] and, if any, ``logit_scale``: the factor of
            the cosines, which is the exponential of CLIP's parameter of that name; 100 when left out.

    Raises:
        UsageError: the file cannot be read, or lacks an array, or one is of another kind.
    """
    require_file(path, "file of class embeddings", _FORM)
    held = _read(path)
    embeddings = _checked_embeddings(path, held.get("embeddings"))
    names = _checked_names(path, held.get("names"), len(embeddings))
    return ClassEmbeddings(embeddings, names, _checked_scale(path, held.get("logit_scale")))


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UsageError(f"{path} holds one array (.npy), not named ones", _FORM)
        with loaded as arrays:
            held = {name: arrays[name] for name in arrays}
    except BROKEN_ARRAY as error:
        raise UsageError(f"cannot read {path}: {first_line(error)}", _FORM) from error
    lacking = [name for name in ("embeddings", "names") if name not in held]
    if lacking:
        raise UsageError(
            f"{path} has no {' and no '.join(map(repr, lacking))}; it has {', '.join(map(repr, sorted(held))) or 'nothing'}",
            _FORM,
        )
    return held


def _checked_embeddings(path: Path, given: Any) -> np.ndarray:
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f" or given.ndim != 2 or given.shape[0] < 2:
        what = f"{given.dtype} {list(given.shape)}" if isinstance(given, np.ndarray) else "no array"
        raise UsageError(f'{path}: "embeddings" is {what}, not float32 [classes, width] of two classes or more', _FORM)
    lengths = np.linalg.norm(given.astype(np.float64), axis=1)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise UsageError(
            f"{path}: {len(bad)} embeddings hold NaN, infinity or zeros alone, such as that of class {bad[0]}",
            "compute them again",
        )
    return given.astype(np.float32)


def _checked_names(path: Path, given: Any, classes: int) -> tuple[str, ...]:
    if not isinstance(given, np.ndarray) or given.dtype.kind != "U" or given.shape != (classes,):
        what = f"{given.dtype} {list(given.shape)}" if isinstance(given, np.ndarray) else "no array"
        raise UsageError(f'{path}: "names" is {what}, not the names of {classes} classes', _FORM)
    names = tuple(str(name) for name in given)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not all(name.strip() for name in names):
        raise UsageError(
            f'{path}: "names" has {repr(twice[0]) + " twice" if twice else "an empty name"}',
            "give each class its own name",
        )
    return names


def _checked_scale(path: Path, given: Any) -> float:
    if given is None:
        return DEFAULT_SCALE
    is_number = isinstance(given, np.ndarray) and given.size == 1 and given.dtype.kind in "fiu"
    scale = float(given.reshape(())) if is_number else float("nan")
    if not 0 < scale < float("inf"):
        raise UsageError(
            f'{path}: "logit_scale" is no number above 0',
            "give the factor of the cosines, such as 100, or leave it out",
        )
    return scale
