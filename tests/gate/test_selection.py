"""Which candidates are judged, and by which limits."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.gate.budget import Budget
from edgevit.gate.judge import verdicts
from edgevit.gate.selection import contradictions, matched
from edgevit.results.run import Run
from tests.factories import make_candidate, make_run

FLOAT, DYNAMIC, STATIC = "litert/fp32", "litert/dynamic_wi8_afp32", "onnxruntime/static_wi8_ai8"


@pytest.fixture
def run() -> Run:
    rejected = make_candidate(STATIC, status="rejected", reasons=("slower",))
    return make_run(make_candidate(FLOAT), make_candidate(DYNAMIC), rejected, selected=DYNAMIC)


def limits_of(run: Run, **budget: Any) -> dict[str | None, list[str]]:
    made = verdicts(run, Budget.model_validate(budget))
    return {verdict.candidate: [check.key or check.metric for check in verdict.checks] for verdict in made}


def test_the_limits_at_the_top_are_for_the_chosen_one(run: Run) -> None:
    assert limits_of(run, size_bytes=1) == {DYNAMIC: ["size_bytes"]}


def test_the_limits_of_a_pattern_are_for_each_that_it_matches_and_replace_those_at_the_top(run: Run) -> None:
    found = limits_of(run, size_bytes=1, macs=1, artifacts={"litert/*": {"size_bytes": 2}})
    section = 'artifacts."litert/*".size_bytes'
    assert found == {DYNAMIC: [section, "macs"], FLOAT: [section]}
    assert list(found) == [DYNAMIC, FLOAT]


def test_a_pattern_matches_files_too(run: Run) -> None:
    assert [each.id for each in matched(run, "artifacts/litert-fp32.*")] == [FLOAT]


def test_the_rejected_are_judged_only_by_name_or_where_there_is_nothing_else(run: Run) -> None:
    assert [each.id for each in matched(run, "*")] == [FLOAT, DYNAMIC]
    assert [each.id for each in matched(run, STATIC)] == [STATIC]
    assert [each.id for each in matched(run, "onnx*")] == [STATIC]
    assert limits_of(run, artifacts={"onnx*": {"size_bytes": 1}})[STATIC][0] == "candidate"


def test_a_limit_that_is_off_is_not_judged(run: Run) -> None:
    assert limits_of(run, macs=1, size_bytes={"max": 1, "level": "off"}) == {DYNAMIC: ["macs"]}


def test_two_patterns_with_different_limits_for_one_candidate_contradict(run: Run) -> None:
    same = Budget.model_validate({"artifacts": {"litert/*": {"size_bytes": 1}, "*fp32": {"size_bytes": "1 B"}}})
    assert list(contradictions(run, same)) == []
    other = Budget.model_validate({"artifacts": {"litert/*": {"size_bytes": 1}, "*/fp32": {"size_bytes": 2}}})
    assert list(contradictions(run, other)) == [
        f'artifacts."*/fp32".size_bytes: contradicts artifacts."litert/*".size_bytes, for both match {FLOAT}'
    ]
