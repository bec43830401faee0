"""Outputs of models that are no classifiers, in rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.outputs import outputs_of_file, split_rows
from edgevit.errors import CheckFailed
from edgevit.results.artifact import TensorSpec
from edgevit.results.output import Output

OUTPUTS = (Output("embedding", (2,)), Output("map", (1, 2, 2)))


def test_rows_hold_one_output_after_the_other(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.arange(12.0).reshape(2, 6))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found = split_rows(rows, OUTPUTS)
    assert list(found) == ["embedding", "map"]
    assert found["embedding"].tolist() == [[0, 1], [6, 7]]
    assert found["map"].tolist() == [[[[2, 3], [4, 5]]], [[[8, 9], [10, 11]]]]
    assert all(np.shares_memory(rows, output) for output in found.values())  # nothing was read


def test_rows_of_another_model_are_refused() -> None:
    with pytest.raises(CheckFailed, match="have 5 values for an image, and 6 were expected"):
        split_rows(np.zeros((2, 5)), OUTPUTS)


def test_outputs_of_a_file_have_its_names_once() -> None:
    specs = (TensorSpec("a", (1, 2), "float32", "NC"), TensorSpec("", (1, 3, 4, 4), "int8", "NCHW"))
    assert outputs_of_file(specs) == (Output("a", (2,)), Output("output_1", (3, 4, 4)))
    assert [output.name for output in outputs_of_file((specs[0], specs[0]))] == ["a_0", "a_1"]
