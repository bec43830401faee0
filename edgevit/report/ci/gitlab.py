"""The checks of a gate that did not pass as a code-quality report of GitLab."""

from __future__ import annotations

import hashlib
from typing import Any

from edgevit.gate.verdict import Check, GateResult
from edgevit.report.ci.places import line_of, sentence
from edgevit.units import visible


def code_quality(result: GateResult, budget_text: str) -> list[dict[str, Any]]:
    """Returns an issue for each check that did not pass, at its line of the budget.

    Args:
        result: What the gate found.
        budget_text: Of the budget file.
    """
    issues = []
    for verdict in result.verdicts:
        for check in verdict.checks:
            if check.verdict == "pass":
                continue
            words = f"{verdict.candidate or 'no candidate'}: {sentence(check)}"
            identity = "\0".join((verdict.run, verdict.candidate or "", check.key, check.operator, check.device or ""))
            issues.append(
                {
                    "description": visible(" ".join(words.split())),
                    "check_name": f"edgevit {check.metric}",
                    "fingerprint": hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest(),
                    "severity": _severity(check),
                    "location": {"path": visible(result.budget), "lines": {"begin": line_of(budget_text, check.key)}},
                }
            )
    return issues


def _severity(check: Check) -> str:
    if check.level == "warn":
        return "minor"
    return "critical" if check.verdict == "fail" else "major"
