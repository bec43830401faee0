"""Annotations of GitHub Actions: workflow commands that show a check beside the budget in a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit.gate.verdict import Check, GateResult
from edgevit.report.ci.places import line_of, sentence
from edgevit.units import visible


def workflow_commands(result: GateResult, budget_text: str) -> Iterator[str]:
    """Yields a workflow command for each check that did not pass.

    Args:
        result: What the gate found.
        budget_text: Of the budget file, for the lines of its limits.
    """
    for verdict in result.verdicts:
        for check in verdict.checks:
            if check.verdict != "pass":
                message = f"{verdict.candidate or 'no candidate'}: {sentence(check)}"
                line = line_of(budget_text, check.key)
                place = f"file={_property(result.budget)},line={line},title={_property(f'edgevit: {check.metric}')}"
                yield f"::{_command(check)} {place}::{_data(message)}"


def _command(check: Check) -> str:
    return "error" if check.verdict == "fail" and check.level == "error" else "warning"


def _data(text: str) -> str:
    """Text in which nothing ends the command or is read as another character."""
    return visible(" ".join(text.split())).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
