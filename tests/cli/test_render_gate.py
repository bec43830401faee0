"""What the terminal shows of a gate is one line for each check, whatever names hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.cli.render_gate import print_result, result_document
from edgevit.gate.verdict import Check, GateResult, Verdict

CHECK = Check(
    "size", None, "<=", 8e6, 6e6, "bytes", "file", "pass", "artifact of 6.0 MB, limit 8.0 MB", key="size_bytes"
)
EVIL = "x\x1b[2J\n::stop-commands::t\u202e"


def shown(capsys: pytest.CaptureFixture[str], *verdicts: Verdict) -> list[str]:
    print_result(GateResult(verdicts, "budget.toml"))
    return capsys.readouterr().out.splitlines()


def test_failures_come_first_and_warnings_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    warns = replace(CHECK, verdict="fail", level="warn", metric="MACs", message="too many")
    heading, _, first, second, last = shown(capsys, Verdict("a", (CHECK, warns), run="run"))
    assert heading.split() == ["verdict", "metric", "device", "reason"]
    assert first.startswith("warn (fail)  MACs")
    assert second.startswith("pass         size")
    assert last == "pass: a, 1 of 2 checks passed, 1 warning"


def test_several_candidates_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(
        capsys, Verdict("a", (CHECK,), run="r", quick=True), Verdict("b", (replace(CHECK, verdict="fail"),), run="r")
    )
    assert lines[0] == "r: a"
    assert lines[-2:] == ["note: a quick run, on few images: r", "fail: 1 of 2 candidates passed"]


def test_no_name_begins_a_line_or_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    evil = replace(CHECK, metric=EVIL, device=EVIL, message=EVIL)
    lines = shown(capsys, Verdict(EVIL, (evil,), EVIL, EVIL), Verdict("b", (CHECK,)))
    assert not [line for line in lines if line.startswith("::")]
    assert not {"\x1b", "\u202e"} & set("".join(lines))


def test_the_document_has_every_check_with_its_run() -> None:
    document = result_document(GateResult((Verdict("a", (CHECK,), run="r"),), "budget.toml"))
    assert (document["verdict"], document["baseline"], document["quick"]) == ("pass", None, False)
    assert document["judged"] == [{"run": "r", "candidate": "a", "verdict": "pass", "note": ""}]
    assert (document["checks"][0]["run"], document["checks"][0]["limit"]) == ("r", 8e6)
