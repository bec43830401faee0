"""Sizes, settings and drops under shift of two artifacts that are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.commands.compare_sides import PartRefused, Side
from edgevit.commands.compare_values import amounts, ops_changed, settings_changed, shift_changed
from edgevit.results.run import Run
from edgevit.spec.recipe import Recipe
from tests.factories import make_candidate, make_run


def side(run: Run) -> Side:
    return Side("run", run.at(Path("run")), run.candidates[0], None)


def test_calibration_recipe_and_versions_that_differ() -> None:
    first = make_run(make_candidate(recipe=Recipe("static_wi8_ai8")))
    assert first.calibration is not None
    other = replace(
        make_run(make_candidate("litert/fp32")),
        calibration=replace(first.calibration, seed=1, sha256="12" * 32),
        tool_versions={"numpy": "2.4.6", "openvino": "2026.1"},
    )
    found = {each.name: (each.before, each.after) for each in settings_changed(side(first), side(other))}
    assert found["calibration seed"] == ("0", "1") and found["sha256 of calibration images"] == ("ef" * 8, "12" * 8)
    assert found["openvino"] == ("–", "2026.1") and found["onnxruntime"] == ("1.31.1", "–")
    assert found["recipe"][1] == "none" and found["scheme"] == ("dynamic_wi8_afp32", "fp32")
    assert "calibration images" not in found and "numpy" not in found
    assert settings_changed(side(first), side(first)) == ()


def test_sizes_are_those_of_the_run_where_the_file_is_not_there() -> None:
    run = make_run()
    size, memory, tensors, share, macs, params = amounts(side(run), side(run), None, None)
    assert (size.before, memory.before, share.before) == (6_000_000, 120_000_000, 0.97)
    assert (tensors.before, tensors.after) == (None, None)
    assert (macs.before, params.after) == (1_250_000_000, 5_700_000)


def test_parts_that_are_refused() -> None:
    run, alone = side(make_run()), Side("a.onnx", None, None, Path("a.onnx"))
    with pytest.raises(PartRefused, match="a.onnx is a file of no run"):
        settings_changed(run, alone)
    with pytest.raises(PartRefused, match="neither has one"):
        shift_changed(run, alone)
    with pytest.raises(PartRefused, match="are not there"):
        ops_changed(run, alone, None, None)
