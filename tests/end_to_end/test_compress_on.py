"""``edgevit compress --on``: candidates are measured on a board, which is this machine over SSH, and chosen there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.results.run import load_run
from tests.loopback import PYTHON, Loopback

pytestmark = pytest.mark.slow

ASKED = [
    "compress", "digits_vit", "--data", "digits", "--samples", "40", "--calibration", "calibration:digits",
    "--export", "onnx,tflite", "--scheme", "fp32,dynamic_wi8_afp32", "--max-drop", "10",
]  # fmt: skip
INT8 = {"litert/dynamic_wi8_afp32/dense", "onnxruntime/dynamic_wi8_afp32/dense"}


def test_candidates_are_measured_on_the_board_and_chosen_there(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run([*ASKED, "--on", "board", "--python", PYTHON, "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    found = load_run(tmp_path / "run")
    (board,) = found.boards
    assert (board.name, board.failures, list(found.selected_for)) == ("board", {}, ["board"])
    assert found.selected in INT8
    for candidate in found.candidates:
        assert len(candidate.on_boards["board"].bursts_ms) == 9
        assert candidate.measurement("board") is not None and candidate.measurement() is not None
    assert f"for board: {found.selected}, p50 " in shown and "measured on this host" in shown
    report = (tmp_path / "run" / "report.md").read_text()
    assert "Chosen for board" in report and "predicted" not in report
    budget = tmp_path / "budget.toml"
    budget.write_text('[devices.board]\nlatency_p50_ms = "1 s"\npeak_rss_bytes = "4 GB"\n')
    assert run(["gate", str(tmp_path / "run"), "--budget", str(budget), "--json"]) in (0, 1)  # 1 where others disturb
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {check["device"] for check in checks} == {"board", None}  # None: that the candidate is usable
    assert not [check for check in checks if "neither measured nor predicted" in check["message"]]
    assert loopback.is_quiet()


def test_a_board_that_fails_at_last_loses_nothing_and_is_tried_again(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    count, repaired = tmp_path / "count", tmp_path / "repaired"
    program = loopback.python(
        f'case "$*" in *" task "*) echo >> {count}; [ $(wc -l < {count}) -gt 1 ] && [ ! -e {repaired} ] && exit 9;; esac'
    )
    asked = [*ASKED, "--on", "board", "--python", program, "--out", str(tmp_path / "run")]
    assert run(asked) == 2
    assert "board" in capsys.readouterr().err.splitlines()[-2]
    made = sorted(each.stat().st_mtime for each in (tmp_path / "run" / "artifacts").rglob("model.*"))
    assert len(made) == 4 and loopback.is_quiet()
    repaired.touch()
    assert run([*asked, "--resume"]) == 0
    assert load_run(tmp_path / "run").selected in INT8
    assert sorted(each.stat().st_mtime for each in (tmp_path / "run" / "artifacts").rglob("model.*")) == made


def test_what_the_runtime_of_a_board_refuses_is_named_and_the_others_are_measured(
    loopback: Loopback, tmp_path: Path
) -> None:
    fake = tmp_path / "site" / "ai_edge_litert"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "interpreter.py").write_text(
        "class Interpreter:\n def __init__(self, **_):\n  raise ValueError('no such op here')\n"
    )
    program = loopback.python(f"export PYTHONPATH={tmp_path / 'site'}")
    assert run([*ASKED, "--on", "board", "--python", program, "--out", str(tmp_path / "run")]) == 0
    found = load_run(tmp_path / "run")
    (board,) = found.boards
    assert sorted(board.failures) == ["litert/dynamic_wi8_afp32/dense", "litert/fp32/dense"]
    assert all("no such op here" in reason for reason in board.failures.values())
    assert found.selected == "onnxruntime/dynamic_wi8_afp32/dense"
    assert {each.id for each in found.candidates if each.on_boards} == {
        "onnxruntime/fp32/dense", "onnxruntime/dynamic_wi8_afp32/dense",
    }  # fmt: skip
    assert loopback.is_quiet()


def test_a_board_that_is_not_there_is_refused_before_anything_is_made(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run([*ASKED, "--on", "board", "--python", "no-such-python", "--out", str(tmp_path / "run")]) == 2
    assert "no-such-python" in capsys.readouterr().err
    assert not (tmp_path / "run" / "artifacts").exists()
    assert run([*ASKED, "--on", "adb:R58", "--out", str(tmp_path / "other")]) == 2
    assert run([*ASKED, "--on", "board", "--on", "board", "--out", str(tmp_path / "other")]) == 2
    assert run([*ASKED, "--python", "python3", "--out", str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other" / "artifacts").exists()
