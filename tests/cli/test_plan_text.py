"""A plan in words: counts, kinds of stages, time."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cli.app import run as edgevit
from edgevit.cli.plan_text import plan_line, plan_lines
from edgevit.run.progress import PlannedStages, RunPlan

PLAN = RunPlan(
    ("litert/fp32/dense",),
    (PlannedStages("export", 1, 12.0), PlannedStages("measure", 2, 3.0, alone=True)),
    2,
    18.0,
    ("the repair ladder", "the token search"),
)


def test_one_line_says_what_and_how_long() -> None:
    assert plan_line(PLAN) == (
        "will make 1 candidate in 3 stages: about 20 s on this machine; more with the repair ladder and the token search"
    )


def test_a_dry_run_lists_candidates_and_stages() -> None:
    assert plan_lines(PLAN) == (
        "candidates:",
        "  litert/fp32/dense",
        "stages, 2 at a time:",
        "  export: 1 × about 10 s",
        "  measure: 2 × about 3 s, alone",
        plan_line(PLAN),
    )


def test_a_dry_run_prints_its_plan_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    images = ("--data", "digits", "--calibration", "calibration:digits")
    assert edgevit(["compress", "digits_vit", *images, "--export", "onnx", "--dry-run"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == ["candidates:", "  onnxruntime/fp32/dense", "  onnxruntime/dynamic_wi8_afp32/dense"]
    assert shown[-1].startswith("will make 2 candidates in ")
    assert list(tmp_path.iterdir()) == []
