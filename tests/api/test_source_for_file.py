"""Images in memory are stored as the file takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from edgevit.api.source_for_file import source_for_file
from edgevit.commands.probes import probe_path
from edgevit.errors import UsageError
from edgevit.spec.spec import PreprocessingOverrides

FILE = probe_path(".onnx")
AS_IMAGES = PreprocessingOverrides(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
AS_ARRAYS = PreprocessingOverrides(mean=(50.0,), std=(20.0,), input="array", channels=1)


def test_a_source_by_name_stays_as_it_is(tmp_path: Path) -> None:
    assert source_for_file(FILE, AS_IMAGES, "digits", "evaluation", tmp_path) == "digits"
    assert source_for_file(FILE, AS_IMAGES, Path("val"), "evaluation", tmp_path) == "val"


def test_floats_are_kept_for_a_file_that_takes_arrays(tmp_path: Path) -> None:
    floats = np.linspace(-3, 300, 2 * 4 * 4, dtype=np.float32).reshape(2, 1, 4, 4)
    source = source_for_file(FILE, AS_ARRAYS, floats, "evaluation", tmp_path)
    assert source.endswith(".npz")
    with pytest.raises(UsageError):
        source_for_file(FILE, AS_IMAGES, floats, "evaluation", tmp_path)
