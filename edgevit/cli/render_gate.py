"""What the gate found, as text and as a document. Loads nothing but what it shows, for a gate is run often."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgevit.units import visible

if TYPE_CHECKING:
    from edgevit.gate.verdict import Check, GateResult, Verdict

_RULE = 100
"""Most characters of the line below the heading."""
_ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}


def print_result(result: GateResult) -> None:
    """Prints every check, failures first, and the verdict on each candidate in words."""
    several = len(result.verdicts) > 1
    for verdict in result.verdicts:
        if several:
            print_line(f"{verdict.run}: {verdict.candidate or 'no candidate'}")
        _print_checks(verdict)
    for path in dict.fromkeys(verdict.run for verdict in result.verdicts if verdict.quick):
        print_line("note: a quick run, on few images" + (f": {path}" if several else ""))
    if several:
        passed = sum(verdict.outcome == "pass" for verdict in result.verdicts)
        print_line(f"{result.outcome}: {passed} of {len(result.verdicts)} candidates passed")


def print_document(result: GateResult) -> None:
    """Prints what the gate found as one JSON document on stdout."""
    print_json(result_document(result))


def print_json(document: Any) -> None:
    """Prints one JSON document on stdout, in ASCII so that any terminal or pipe takes it."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")


def print_message(text: str) -> None:
    """Prints a line on stderr."""
    print(visible(text), file=sys.stderr, flush=True)


def result_document(result: GateResult) -> dict[str, Any]:
    """Returns what the gate found as one JSON document."""
    return {
        "budget": result.budget,
        "baseline": result.baseline or None,
        "verdict": result.outcome,
        "judged": [
            {
                "run": verdict.run,
                "candidate": verdict.candidate,
                "verdict": verdict.outcome,
                "note": verdict.note,
            }
            for verdict in result.verdicts
        ],
        "quick": any(verdict.quick for verdict in result.verdicts),
        "checks": [{"run": verdict.run, **asdict(check)} for verdict in result.verdicts for check in verdict.checks],
    }


def _print_checks(verdict: Verdict) -> None:
    checks = sorted(verdict.checks, key=lambda check: _ORDER[check.verdict])
    rows = [(_word(check), check.metric, check.device or "–", check.message) for check in checks]
    _print_table((("verdict", "metric", "device", "reason"), *rows))
    if verdict.note:
        print_line(f"note: {verdict.note}")
    passed, warned = (sum(test(check) for check in checks) for test in (_passed, _warns))
    warnings = f", {warned} warning{'s'[: warned > 1]}" if warned else ""
    print_line(
        f"{verdict.outcome}: {verdict.candidate or 'no candidate'}, {passed} of {len(checks)} checks passed{warnings}"
    )


def _word(check: Check) -> str:
    """What a check came to; one that does not decide is a warning where it did not pass."""
    return f"warn ({check.verdict})" if _warns(check) else check.verdict


def _passed(check: Check) -> bool:
    return check.verdict == "pass"


def _warns(check: Check) -> bool:
    return check.level == "warn" and check.verdict != "pass"


def _print_table(rows: tuple[tuple[str, ...], ...]) -> None:
    """Prints rows with a heading; the last column is as long as it is."""
    shown = [tuple(visible(" ".join(cell.split())) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]) - 1)]
    for number, row in enumerate(shown):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print_line("  ".join((*cells, row[-1])).rstrip())
        if not number:
            print_line("─" * min(_RULE, sum(widths) + 2 * len(widths) + max(len(each[-1]) for each in shown)))


def print_line(text: str) -> None:
    """Prints one line: a name with a line break in it would begin a line that a CI system reads as a command."""
    sys.stdout.write(visible(text).replace("\n", "\\n") + "\n")
