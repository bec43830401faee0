"""A ``run.json`` written before Python names changed is read, judged, shown and written back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgevit.gate.budget import Budget
from edgevit.gate.judge import decide
from edgevit.report import write_report
from edgevit.report.details import details
from edgevit.results.run import Run, load_run, run_json_schema, run_to_json

OLD_RUN = Path(__file__).with_name("old_run.json")
"""From a run on digits_vit by edgevit 0.1.0, cut down; the token search was added by hand."""
SELECTED = "openvino/static_wi8_ai8/evit-0.7-2-4-arithmetic"


@pytest.fixture
def old() -> Run:
    return load_run(OLD_RUN)


def assert_kept(before: Any, after: Any, where: str = "run") -> None:
    """Every key of ``before`` is in ``after`` with the same value."""
    if isinstance(before, dict):
        assert before.keys() <= after.keys(), where
        for key in before:
            assert_kept(before[key], after[key], f"{where}.{key}")
    elif isinstance(before, list):
        assert len(before) == len(after), where
        for index, pair in enumerate(zip(before, after, strict=True)):
            assert_kept(*pair, f"{where}.{index}")
    else:
        assert before == after, where


def test_values_arrive_under_their_new_names(old: Run) -> None:
    chosen = old.chosen
    assert chosen is not None
    assert chosen.id == SELECTED
    assert chosen.artifact is not None
    assert chosen.artifact.float_layer_count == 5
    assert chosen.attempts[0].drop_points == pytest.approx(-0.6)
    assert [step.drop_points for step in chosen.contributions] == [pytest.approx(-0.4), 0.0]
    tried = old.token_searches[0].tried[0]
    assert (tried.divergence, tried.drop_points) == (0.031, -0.2)


def test_what_it_does_not_know_has_a_default(old: Run) -> None:
    assert (old.selected_for, old.tied, old.choices) == ({}, {}, {"host": SELECTED})
    for candidate in old.candidates:
        assert (candidate.latency, candidate.unstable, candidate.top1_file) == (None, "", None)
        measurement = candidate.measurement()
        assert measurement is None or candidate.p50_ms == measurement.latency_ms.p50
        assert [p.peak_tensor_bytes for p in candidate.predictions] == [
            p.peak_memory_bytes for p in candidate.predictions
        ]


def test_it_is_written_back_with_every_key_and_value(old: Run) -> None:
    assert_kept(json.loads(OLD_RUN.read_bytes()), json.loads(run_to_json(old)))


def test_it_fits_the_schema() -> None:
    jsonschema.validate(json.loads(OLD_RUN.read_bytes()), run_json_schema())


def test_the_schema_has_the_names_of_the_document() -> None:
    definitions = run_json_schema()["$defs"]
    assert "float_islands" in definitions["Artifact"]["properties"]
    assert {"lost_points", "damage"} <= definitions["TriedPlan"]["properties"].keys()
    assert "lost_points" in definitions["Attempt"]["properties"]
    assert "lost_points" in definitions["Contribution"]["properties"]
    assert "drop_points" in definitions["Accuracy"]["properties"]


@pytest.mark.parametrize(("size_bytes", "outcome"), [(1_133_288, "pass"), (1_133_287, "fail")])
def test_the_gate_judges_it(old: Run, size_bytes: int, outcome: str) -> None:
    limits = {
        "size_bytes": size_bytes,
        "accuracy_drop_points": 1.0,
        "devices": {"host": {"latency_p50_ms": 1.3, "peak_memory_bytes": 200_000_000}},
    }
    verdict = decide(old, Budget.model_validate(limits))
    assert verdict.candidate == SELECTED
    assert verdict.outcome == outcome
    assert len(verdict.checks) == 4


def test_the_report_shows_it(old: Run, tmp_path: Path) -> None:
    page = write_report(old, tmp_path).read_text(encoding="utf-8")
    assert f"**Chosen: `{SELECTED}`**" in page
    assert "p50 1.23 ms measured on this host" in page
    assert all(candidate.id in page for candidate in old.candidates)
    assert "evit:2=32" in "\n".join(details(old))
