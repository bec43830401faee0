"""The checks of a gate that did not pass as SARIF 2.1.0, which code scanning shows beside the budget."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from edgevit.gate.metrics import METRICS
from edgevit.gate.verdict import Check, GateResult, Verdict
from edgevit.report.ci.places import line_of, sentence
from edgevit.units import visible

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LINK = re.compile(r"([\\\[\]])")


def sarif_log(result: GateResult, budget_text: str, version: str) -> dict[str, Any]:
    """Returns a log of one run: a rule for each metric, and a result for each check that did not pass.

    What failed is an error, what could not be decided or only warns is a warning.

    Args:
        result: What the gate found.
        budget_text: Of the budget file, for the lines of its limits.
        version: Of edgevit.
    """
    open_checks = [
        (verdict, check) for verdict in result.verdicts for check in verdict.checks if check.verdict != "pass"
    ]
    rules = sorted({_rule(check) for _, check in open_checks})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "edgevit gate",
                        "version": version,
                        "rules": [{"id": rule, "shortDescription": {"text": _meaning(rule)}} for rule in rules],
                    }
                },
                "results": [_result(verdict, check, result.budget, budget_text) for verdict, check in open_checks],
            }
        ],
    }


def _result(verdict: Verdict, check: Check, budget: str, budget_text: str) -> dict[str, Any]:
    text = f"{verdict.candidate or 'no candidate'}: {sentence(check)}"
    identity = "\0".join((verdict.run, verdict.candidate or "", check.key, check.operator, check.device or ""))
    return {
        "ruleId": _rule(check),
        "level": "error" if check.verdict == "fail" and check.level == "error" else "warning",
        "message": {"text": _text(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(budget)},
                    "region": {"startLine": line_of(budget_text, check.key)},
                }
            }
        ],
        "partialFingerprints": {
            "edgevitCheck/v1": hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()
        },
        "properties": {"verdict": check.verdict, "actual": check.actual, "limit": check.limit, "unit": check.unit},
    }


def _rule(check: Check) -> str:
    """The key of the metric, or the name of a check that no key asks for."""
    key = next((key for key, metric in METRICS.items() if metric.title == check.metric), None)
    return key or check.metric.replace(" ", "_")


def _meaning(rule: str) -> str:
    metric = METRICS.get(rule)
    return f"A budget limits {metric.meaning}" if metric else f"The {rule} that is judged has to be usable"


def _uri(path: str) -> str:
    place = PurePath(visible(path))
    return place.as_uri() if place.is_absolute() else quote(place.as_posix())


def _text(text: str) -> str:
    """Text in which nothing is a link or a placeholder, as SARIF has them in plain messages."""
    return _LINK.sub(r"\\\1", visible(" ".join(text.split()))).replace("{", "{{").replace("}", "}}")
