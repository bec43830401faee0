"""Outputs on disk: all values of an image in one row, one output after the other, and each output out of such rows."""

from __future__ import annotations

import numpy as np

from edgevit.errors import CheckFailed
from edgevit.results.artifact import TensorSpec
from edgevit.results.output import Output


def split_rows(rows: np.ndarray, outputs: tuple[Output, ...]) -> dict[str, np.ndarray]:
    """Returns each output of a model by name, as views of rows that hold them all.

    Args:
        rows: float [n, values]; may be memory-mapped.
        outputs: In the order of the values.

    Returns:
        Arrays [n, ...] of the shapes of the outputs; of a classifier its logits [n, classes].

    Raises:
        CheckFailed: the rows hold more or fewer values than the outputs have.
    """
    expected = sum(output.size for output in outputs)
    if rows.shape[1] != expected:
        raise CheckFailed(f"the outputs have {rows.shape[1]} values for an image, and {expected} were expected")
    found, start = {}, 0
    for output in outputs:
        found[output.name] = rows[:, start : start + output.size].reshape(len(rows), *output.shape)
        start += output.size
    return found


def outputs_of_file(specs: tuple[TensorSpec, ...]) -> tuple[Output, ...]:
    """Returns the outputs that a file declares, by the names that it has for them.

    Args:
        specs: Each of one image, [1, ...].
    """
    names = [spec.name or f"output_{place}" for place, spec in enumerate(specs)]
    return tuple(
        Output(name if names.count(name) == 1 else f"{name}_{place}", spec.shape[1:])
        for place, (name, spec) in enumerate(zip(names, specs, strict=True))
    )
