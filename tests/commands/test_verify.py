"""What comparing a file depends on is read from the file; the comparison itself is tested in tests/api/test_verify.py."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

from edgevit.artifacts.verify import FLOAT_TOLERANCE  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.commands.verify import FileFacts, ReadFileJob, read_facts  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.output import Output  # noqa: E402


def facts(module: nn.Module, folder: Path) -> FileFacts:
    file = get_backend("onnxruntime").export(capture(module.eval(), (6, 8)), folder)
    return read_facts(ReadFileJob("onnxruntime", file))


def test_a_classifier_has_an_input_size_and_a_tolerance(tmp_path: Path) -> None:
    classifier = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert facts(classifier, tmp_path) == FileFacts((6, 8), (), FLOAT_TOLERANCE)


def test_maps_are_named_outputs(tmp_path: Path) -> None:
    found = facts(nn.Conv2d(3, 4, 3), tmp_path)
    (output,) = found.outputs
    assert isinstance(output, Output)
    assert output.shape == (4, 4, 6)
