"""What ``edgevit distill`` prints."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.render_distill import compress_command, print_distillation
from edgevit.results.distillation import DistillPoint, DistillReport, Evaluated, TopOne, TrainingImages
from edgevit.results.measurement import Interval
from tests.factories import make_run

SPEC = {
    "model": {"name": "net", "num_classes": 5},
    "data": {"evaluation": "flowers/val"},
    "passes": {"tokens": "tome:8"},
    "distill": {"token": False},
}
REPORT = DistillReport(
    edgevit_version="0.1",
    created_at="2026-01-02T03:04:05Z",
    student="net",
    teacher="big",
    spec=SPEC,
    images=TrainingImages("flowers/train", 900, 100, True, "ab"),
    evaluation=Evaluated(
        50,
        TopOne(0.2, Interval(0.1, 0.3)),
        TopOne(0.9, Interval(0.8, 0.95)),
        Interval(55.0, 80.0),
        TopOne(0.96, Interval(0.9, 1.0)),
    ),
    weights="weights.safetensors",
    weights_sha256="cd",
    steps=30,
    best_step=20,
    seconds=61.0,
    device="cuda",
    curve=(DistillPoint(0, 0.0, None, 0.0, 2.3, 0.1), DistillPoint(20, 2.0, 0.5, 1e-3, 0.412, 0.88)),
    host=make_run().host,
    tool_versions={},
    notes=("stopped early",),
)


def test_accuracy_before_and_after_and_the_next_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    print_distillation(REPORT, tmp_path)
    lines = capsys.readouterr().out
    assert "net: trained on big and labels, 900 images of flowers/train, 30 steps on cuda in 61.0 s" in lines
    assert "weights of step 20: top-1 88.0 %, cross entropy 0.412 on 100 images kept apart" in lines
    assert "top-1 on 50 other images: 20.0 % (10.0 % to 30.0 %) before, 90.0 % (80.0 % to 95.0 %) after" in lines
    assert "(+70.0 pt, +55.0 to +80.0), teacher 96.0 % (90.0 % to 100.0 %)" in lines
    assert "note: stopped early" in lines
    assert lines.splitlines()[-1] == f"compress it: {compress_command(REPORT, tmp_path)}"
    assert shlex.split(compress_command(REPORT, Path("out"))) == [
        "edgevit", "compress", "net", "--weights", "out/weights.safetensors", "--set", "model.num_classes=5",
        "--data", "flowers/val", "--tokens", "tome:8",
    ]  # fmt: skip


def test_without_labels_or_teacher(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    curve = tuple(replace(point, kept_top1=None) for point in REPORT.curve)
    images = replace(REPORT.images, labels=False)
    print_distillation(replace(REPORT, images=images, curve=curve, evaluation=None), tmp_path)
    lines = capsys.readouterr().out
    assert "trained on big, 900" in lines
    assert "KL divergence 0.412 on 100 images kept apart" in lines
    assert "other images" not in lines
    print_distillation(replace(REPORT, spec={**SPEC, "distill": {"token": True}}), tmp_path)
    assert "have a distillation token, which net lacks" in capsys.readouterr().out
    print_distillation(replace(REPORT, teacher=None), tmp_path)
    assert "trained on labels alone" in capsys.readouterr().out
