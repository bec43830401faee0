"""``edgevit gate --measure NEW --against OLD``: its options, its text, its document and its exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgevit.cli.gate_measure import (
    GivenOptions,
    compare,
    document,
    exit_code,
    parse_minutes,
    parse_percent,
    show,
    write,
)
from edgevit.cli.gate_outputs import GateOutputs
from edgevit.errors import ExitCode, UsageError
from edgevit.results.regression import ComparedFile, Regression, RegressionLimits

FILE = ComparedFile(Path("new.onnx"), "ab" * 32, 14_000_000, "ONNX Runtime", "f32", "CPU", ((1, 3, 224, 224),), 6.6)
FOUND = Regression(
    new=FILE,
    old=replace(FILE, path=Path("old.onnx"), latency_ms=6.0),
    limits=RegressionLimits(0.05, 0.2),
    outcome="fail",
    reason="more than 5 % slower",
    log_ratios=(0.09, 0.1),
    block_seconds=(1.0, 1.5),
    ratio=1.1,
    low=1.06,
    high=1.14,
    error_rate=0.01,
    seconds=3.0,
    threads=1,
    contention=("steal time 8 % in 2 of 2 blocks",),
    notes=("different inputs",),
)


@pytest.mark.parametrize(("text", "fraction"), [("5%", 0.05), ("2.5 %", 0.025), ("0%", 0.0), ("150%", 1.5)])
def test_a_percentage_is_read(text: str, fraction: float) -> None:
    assert parse_percent("--max-regression", text, 1000) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["0.05", "5", "-5%", "nan%", "five%", "", "%", "5%%", "1e3%", "2000%", "1000%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-regression"):
        parse_percent("--max-regression", text, 1000)


def test_minutes_are_above_0_and_at_most_a_day() -> None:
    assert parse_minutes(0.5) == 30.0
    for minutes in (0.0, -1.0, float("nan"), float("inf"), 1441.0):
        with pytest.raises(UsageError, match="--minutes"):
            parse_minutes(minutes)


@pytest.mark.parametrize(
    ("new", "old", "given", "words"),
    [
        (None, Path("old.onnx"), GivenOptions(), "--against without --measure"),
        (Path("new.onnx"), None, GivenOptions(), "--measure without --against"),
        (Path("new.onnx"), Path("old.onnx"), GivenOptions(max_speed_up="0%"), "--max-speed-up 0%"),
        (Path("new.onnx"), Path("old.onnx"), GivenOptions(max_speed_up="100%"), "not below 100 %"),
        (Path("new.onnx"), Path("old.onnx"), GivenOptions(precision="f16"), "f16"),
        (Path("new.onnx"), Path("old.onnx"), GivenOptions(), "no such file"),
    ],
)
def test_bad_options_are_told_before_anything_is_measured(
    new: Path | None, old: Path | None, given: GivenOptions, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        compare(new, old, given)


@pytest.mark.parametrize(
    ("outcome", "inconclusive", "code"),
    [
        ("pass", "fail", ExitCode.DONE),
        ("fail", "pass", ExitCode.CHECK_FAILED),
        ("inconclusive", "fail", ExitCode.CHECK_FAILED),
        ("inconclusive", "pass", ExitCode.DONE),
    ],
)
def test_the_exit_code_follows_the_verdict(outcome: str, inconclusive: str, code: ExitCode) -> None:
    found = replace(FOUND, outcome=outcome)  # type: ignore[arg-type]
    assert exit_code(found, inconclusive, require_stable=False) == code
    assert exit_code(found, inconclusive, require_stable=True) == ExitCode.CHECK_FAILED


def test_the_text_says_what_was_found_and_what_disturbed(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, as_json=False)
    text = " ".join(capsys.readouterr().out.split())
    for words in (
        "new.onnx 6.60 ms",
        "measured 10 % slower (99 % interval 6.0 % slower to 14 % slower)",
        "2 blocks in 3.0 s",
        "note: different inputs",
        "contention: steal time 8 % in 2 of 2 blocks",
        "fail: more than 5 % slower",
    ):
        assert words in text


def test_the_document_has_the_checks_and_the_ratio_of_each_block() -> None:
    found = json.loads(json.dumps(document(FOUND), allow_nan=False))
    slow, fast = found["checks"]
    assert (found["verdict"], slow["verdict"], fast["verdict"]) == ("fail", "fail", "pass")
    assert (slow["limit"], slow["low"], slow["high"]) == (0.05, pytest.approx(0.06), pytest.approx(0.14))
    assert (fast["low"], fast["high"]) == (pytest.approx(-0.14), pytest.approx(-0.06))
    assert found["comparison"]["log_ratios"] == [0.09, 0.1]
    assert found["comparison"]["new"]["sha256"] == "ab" * 32


def test_without_an_interval_the_checks_are_inconclusive() -> None:
    found = document(replace(FOUND, outcome="inconclusive", low=None, high=None))
    assert [check["verdict"] for check in found["checks"]] == ["inconclusive", "inconclusive"]
    assert "too few blocks" in found["checks"][0]["message"]


@pytest.mark.parametrize(("inconclusive", "failures"), [("fail", "2"), ("pass", "0")])
def test_files_and_summary_are_those_of_a_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inconclusive: str, failures: str
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outputs = GateOutputs(junit=tmp_path / "junit.xml", markdown=tmp_path / "gate.md")
    write(replace(FOUND, outcome="inconclusive", low=None, high=None), outputs, inconclusive)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("new.onnx", "2", failures)
    text = (tmp_path / "gate.md").read_text(encoding="utf-8")
    assert "Measured against the baseline `old.onnx`." in text
    assert "latency regression" in text and "steal time 8 %" in text
    assert summary.read_text(encoding="utf-8") == text
