"""The checks of a gate as Markdown, for the summary of a job and a comment on a pull request."""

from __future__ import annotations

import re

from edgevit.gate.verdict import Check, GateResult, Verdict
from edgevit.report.markdown_text import code, escape, table

_MOST_ROWS = 60
"""Rows of all tables together; what is left out is counted."""
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
"""What would tell a person on GitHub or GitLab; a comment after it keeps it text."""
_ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
_SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive"}


def gate_markdown(result: GateResult) -> str:
    """Returns a section: the verdict, what did not pass, and behind a fold what did.

    Args:
        result: What the gate found.
    """
    passed = sum(verdict.outcome == "pass" for verdict in result.verdicts)
    several = len(result.verdicts) > 1
    counted = f": {passed} of {len(result.verdicts)} candidates passed" if several else ""
    against = f" against the baseline {code(result.baseline)}" if result.baseline else ""
    by = f"Budget {code(result.budget)}" if result.budget else "Measured"
    head = [f"## edgevit gate: {_SIGNS[result.outcome]}{counted}", f"{by}{against}."]
    left = _MOST_ROWS
    parts = []
    for verdict in sorted(result.verdicts, key=lambda each: _ORDER[each.outcome]):
        part, used = _candidate(verdict, max(left, 0))
        left -= used
        parts += part
    return "\n\n".join([*head, *parts]) + "\n"


def _candidate(verdict: Verdict, most_rows: int) -> tuple[list[str], int]:
    """Lines of one candidate, and how many rows they take."""
    run = f" of {code(verdict.run)}" if verdict.run else ""
    head = f"**{code(verdict.candidate or 'no candidate')}**{run}: {verdict.outcome}"
    notes = [note for note in (verdict.note, "a quick run, on few images" if verdict.quick else "") if note]
    checks = sorted(verdict.checks, key=lambda check: _ORDER[check.verdict])
    shown = checks[:most_rows]
    lines = [f"{head} ({escape('; '.join(notes))})" if notes else head]
    bad, good = ([check for check in shown if (check.verdict == "pass") == wanted] for wanted in (False, True))
    if bad:
        lines.append(_table(bad))
    if good:
        lines.append(f"<details><summary>{len(good)} passed</summary>\n\n{_table(good)}\n\n</details>")
    if len(shown) < len(checks):
        lines.append(f"{len(checks) - len(shown)} more checks are left out here.")
    return lines, len(shown)


def _table(checks: list[Check]) -> str:
    rows = [(_word(check), check.metric, check.device or "–", check.message) for check in checks]
    return _MENTION.sub("@<!-- -->", table(("verdict", "metric", "device", "reason"), rows, ()))


def _word(check: Check) -> str:
    warns = check.level == "warn" and check.verdict != "pass"
    return f"⚠️ warn ({check.verdict})" if warns else _SIGNS[check.verdict]
