"""Labels that are not one class: a number for each image, or all classes that it has."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from edgevit.errors import UsageError

OtherLabels: TypeAlias = tuple[float, ...] | tuple[tuple[int, ...], ...]
"""A number for each image, or the class indices that each image has, which may be none."""

_HINT = (
    "give the class index of every image as an integer, a number as a float, or 0 and 1 for each class as bool [n, classes];"
    " or leave labels out"
)


def are_numbers(labels: OtherLabels) -> bool:
    """Returns whether there is a number for each image; else they are classes."""
    return isinstance(labels[0], float)


def as_array(labels: OtherLabels, outputs: int) -> np.ndarray:
    """Returns labels as metrics read them: float64 [n], or bool [n, classes].

    Args:
        labels: Of at least one image.
        outputs: Number of classes; where it is less, it is one more than the largest class index.
    """
    if are_numbers(labels):
        return np.array(labels, np.float64)
    sets = [each for each in labels if isinstance(each, tuple)]
    found = np.zeros((len(sets), max(outputs, 1 + max((max(each, default=-1) for each in sets), default=-1))), bool)
    for row, each in enumerate(sets):
        found[row, list(each)] = True
    return found


def read_label_array(labels: np.ndarray, count: int, where: str) -> tuple[tuple[int, ...] | None, OtherLabels | None]:
    """Reads an array of labels.

    Args:
        labels: int [n] class indices, float [n] numbers, or bool or int [n, classes] of 0 and 1.
        count: Images that they are for.
        where: They are from, for messages.

    Returns:
        Class indices, or else other labels.

    Raises:
        UsageError: they are not such, or not as many as the images.
    """
    kind = labels.dtype.kind
    told = f'{where}: "labels" must be {count} integers ≥ 0, one per image; it is {labels.dtype} {list(labels.shape)}'
    if labels.shape == (count,) and kind in "iu":
        if (labels < 0).any():
            raise UsageError(f"{told} with negative numbers", _HINT)
        return tuple(map(int, labels)), None
    if labels.shape == (count,) and kind == "f":
        if not np.isfinite(labels).all():
            raise UsageError(f'{where}: "labels" hold NaN or infinity', "give a finite number for every image")
        return None, tuple(map(float, labels))
    if (
        labels.ndim == 2
        and len(labels) == count
        and labels.shape[1]
        and kind in "biu"
        and np.isin(labels, (0, 1)).all()
    ):
        return None, tuple(tuple(map(int, np.flatnonzero(row))) for row in labels)
    raise UsageError(told, _HINT)
