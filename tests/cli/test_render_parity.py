"""What ``edgevit parity`` prints of two result sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.artifacts.result_set import write_result_set
from edgevit.cli import render_parity
from edgevit.commands.parity import ParityQuestion, compare_results
from tests.factories import make_result_set


def test_a_set_that_does_not_say_where_it_is_from_is_shown_by_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = make_result_set(("x", "y"), [[0.0, 4.0], [4.0, 0.0]])
    write_result_set(tmp_path / "a.npz", results)
    write_result_set(tmp_path / "mine.npz", replace(results, origin=None))
    render_parity.print_parity(compare_results(ParityQuestion(tmp_path / "a.npz", tmp_path / "mine.npz")))
    out = capsys.readouterr().out
    assert "a.npz: model.onnx in ONNX Runtime 1.20 (CPUExecutionProvider, f32) on Cortex-A76, 2 images" in out
    assert "mine.npz, 2 images, 2 outputs" in out
    assert "note: B says not which file" in out
    assert "identical" in out
    assert "top-1 of A" not in out
