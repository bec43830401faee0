"""The checks of a gate as JUnit XML, which most CI systems show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from edgevit.gate.verdict import Check, GateResult, Verdict
from edgevit.report.ci.places import title_of
from edgevit.units import visible

_NOT_XML = re.compile("[\ufffe\uffff]")
"""Characters that XML 1.0 has not, beside the control characters and surrogates that :func:`visible` writes out."""


def junit_xml(result: GateResult, *, inconclusive_fails: bool = True) -> bytes:
    """Returns a document of one suite for each candidate and one test for each check.

    A check that failed, or was inconclusive, is a failure of that type; one of level "warn" passes with a message.

    Args:
        result: What the gate found.
        inconclusive_fails: Whether what could not be decided is a failure, else it is skipped.
    """
    suites = [_suite(verdict, result, inconclusive_fails) for verdict in result.verdicts]
    root = ElementTree.Element("testsuites", {"name": "edgevit gate", **_counts(suites)})
    root.extend(suites)
    ElementTree.indent(root, " ")
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _suite(verdict: Verdict, result: GateResult, inconclusive_fails: bool) -> ElementTree.Element:
    cases = [_case(check, verdict, inconclusive_fails) for check in verdict.checks]
    name = _text(verdict.candidate or "no candidate")
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ElementTree.Element(
        "testsuite", name=name, tests=str(len(cases)), failures=str(failures), errors="0", skipped=str(skipped)
    )
    properties = ElementTree.SubElement(suite, "properties")
    known = {"run": verdict.run, "budget": result.budget, "baseline": result.baseline, "verdict": verdict.outcome}
    for key, value in {**known, "note": verdict.note}.items():
        if value:
            ElementTree.SubElement(properties, "property", name=key, value=_text(value))
    suite.extend(cases)
    return suite


def _case(check: Check, verdict: Verdict, inconclusive_fails: bool) -> ElementTree.Element:
    name = f"{title_of(check)}{f' ({check.key})' if check.key else ''}"
    case = ElementTree.Element("testcase", name=_text(name), classname=_text(verdict.candidate or "no candidate"))
    message = _text(check.message)
    if check.verdict == "pass" or check.level == "warn":
        word = "" if check.verdict == "pass" else f"warning ({check.verdict}): "
        ElementTree.SubElement(case, "system-out").text = f"{word}{message}"
    elif check.verdict == "inconclusive" and not inconclusive_fails:
        ElementTree.SubElement(case, "skipped", message=message)
    else:
        ElementTree.SubElement(case, "failure", type=check.verdict, message=message).text = message
    return case


def _counts(suites: list[ElementTree.Element]) -> dict[str, str]:
    return {key: str(sum(int(suite.attrib[key]) for suite in suites)) for key in ("tests", "failures", "errors")}


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", visible(" ".join(text.split())))
