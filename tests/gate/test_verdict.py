"""Checks that do not decide do not, and nothing judged is no pass."""

from __future__ import annotations

import pytest

from edgevit.errors import ExitCode
from edgevit.gate.verdict import Check, GateResult, Level, Outcome, Verdict, outcome_of


def check(verdict: Outcome, level: Level = "error") -> Check:
    return Check("size", None, "<=", 1.0, 1.0, "bytes", "file", verdict, "", level=level)


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ((), "fail"),
        ((check("pass"), check("fail", "warn")), "pass"),
        ((check("fail", "warn"),), "pass"),
        ((check("pass"), check("inconclusive")), "inconclusive"),
        ((check("inconclusive"), check("fail")), "fail"),
    ],
)
def test_what_checks_come_to(checks: tuple[Check, ...], outcome: Outcome) -> None:
    assert outcome_of(checks) == outcome


def test_one_candidate_that_fails_is_enough() -> None:
    good, bad = Verdict("a", (check("pass"),)), Verdict("b", (check("fail"),))
    assert GateResult((good,)).exit_code is ExitCode.DONE
    assert GateResult((good, bad)).exit_code is ExitCode.CHECK_FAILED
    assert GateResult((good, Verdict("c", (check("inconclusive"),)))).outcome == "inconclusive"
    assert GateResult(()).outcome == "fail"
    assert len(GateResult((good, bad)).checks) == 2
