"""A row for each candidate and evaluation set."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.other_sets import other_set_rows, other_set_titles, other_sets_section
from edgevit.results.candidate import Accuracy, SetAccuracy
from edgevit.results.run import EvaluationRecord
from tests.factories import make_candidate, make_run

FOG = SetAccuracy("fog/", Accuracy(0.7, 0.9, 400, 2.5))


def test_a_run_with_one_set_has_no_section() -> None:
    assert other_set_rows(make_run()) == []
    assert other_sets_section(make_run()) == ""


def test_each_set_has_its_row_the_first_first() -> None:
    scored, rejected = make_candidate(other_sets=(FOG,)), make_candidate("litert/fp32", status="rejected")
    run = make_run(scored, rejected, evaluation=EvaluationRecord("val/", {}))
    original = replace(run.baseline, other_sets=(SetAccuracy("fog/", Accuracy(0.725, 0.9, 400, None)),))
    run = replace(run, baseline=original)
    assert other_set_titles(run)[2] == "top-1"
    assert [(row[0], row[1], row[2], row[4]) for row in other_set_rows(run)] == [
        ("original, PyTorch", "val/", "82.7 %", "–"),
        ("original, PyTorch", "fog/", "72.5 %", "–"),
        (scored.id, "val/", "82.5 %", "-0.2 pt"),
        (scored.id, "fog/", "70.0 %", "-2.5 pt"),
    ]
    assert "## Other evaluation sets" in other_sets_section(run)
    assert rejected.id not in other_sets_section(run)
