"""The main job on real ImageNet and flower models: what has to hold there, holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
BACKENDS = ("onnxruntime", "openvino", "litert")


def compress(out: Path, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "edgevit", "compress", *map(str, arguments), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((out / "run.json").read_text())
    return document


def by_id(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {candidate["id"]: candidate for candidate in run["candidates"]}


def p50(candidate: dict[str, Any]) -> float:
    return float(candidate["measurements"][0]["latency_ms"]["p50"])


def assert_every_backend_ends_with_int8(run: dict[str, Any]) -> None:
    """Within 1.0 point of float and faster than float, on each backend."""
    for backend in BACKENDS:
        good = [
            candidate
            for candidate in run["candidates"]
            if candidate["backend"] == backend
            and candidate["status"] == "ok"
            and candidate["artifact"]["int8_mac_share"] > 0.5
            and candidate["accuracy"]["drop_points"] <= 1.0
        ]
        assert good, f"{backend}: {[(c['id'], c['status'], c['reasons']) for c in run['candidates']]}"
        dense = by_id(run)[f"{backend}/fp32/dense"]
        assert min(map(p50, good)) < p50(dense)


@pytest.mark.timeout(1800)  # fifteen candidates of three runtimes, each on 855 images
def test_vit_tiny(shared_data: Path, tmp_path: Path) -> None:
    run = compress(
        tmp_path / "run", "vit_tiny_patch16_224",
        "--weights", shared_data / "weights" / "vit_tiny_patch16_224.safetensors",
        "--data", shared_data / "imagenet_val", "--calibration", shared_data / "imagenet_samples",
        "--set", "model.preprocessing.crop_pct=1.0", "--tokens", "evit:0.8@4,7,10,squeeze:4=148,6=98", "--max-minutes", 1,
    )  # fmt: skip
    assert run["baseline"]["samples"] == 855
    assert run["baseline"]["top1"] == pytest.approx(0.827, abs=0.0005)
    candidates = by_id(run)
    for backend in BACKENDS:
        dense = candidates[f"{backend}/fp32/dense"]
        evit, squeeze = (
            [candidates[f"{backend}/fp32/{plan}-{form}"] for form in ("gather", "arithmetic")]
            for plan in ("evit-0.8-4-7-10", "squeeze-4=148-6=98")
        )
        for candidate in (dense, *evit, *squeeze):
            assert candidate["verification"]["passed"]
            assert candidate["verification"]["top1_agreement"] == 1.0
        assert dense["accuracy"]["top1"] == run["baseline"]["top1"]
        for candidate in evit:
            assert candidate["accuracy"]["top1"] == pytest.approx(0.811, abs=0.003)
        for candidate in squeeze:
            assert candidate["accuracy"]["top1"] == pytest.approx(0.818, abs=0.003)
        assert evit[0]["accuracy"] == evit[1]["accuracy"]
        going_on = {candidate["id"] for candidate in squeeze if candidate["status"] == "ok"}
        quantized = [c for c in candidates.values() if c["id"].startswith(backend) and "squeeze" in c["id"]][2:]
        assert {candidate["parent"] for candidate in quantized} == going_on, "int8 of what is not the worse form"
        for (
            parent
        ) in going_on:  # where the first scheme drops too much, the policy tries the next, which may drop far more
            drops = [c["accuracy"]["drop_points"] for c in quantized if c["parent"] == parent]
            assert min(drops) <= 1.7
        for candidate in quantized:
            assert [step["name"] for step in candidate["contributions"]] == ["reduce_tokens", "quantize"]
    assert_every_backend_ends_with_int8(run)


def test_mobilenetv2(shared_data: Path, tmp_path: Path) -> None:
    run = compress(
        tmp_path / "run", "mobilenetv2_100", "--weights", shared_data / "weights" / "mobilenetv2_100.safetensors",
        "--data", shared_data / "imagenet_val", "--calibration", shared_data / "imagenet_samples",
        "--set", "model.preprocessing.crop_pct=1.0",
    )  # fmt: skip
    assert run["baseline"]["top1"] == pytest.approx(0.806, abs=0.0005)
    assert_every_backend_ends_with_int8(run)


def test_efficientnet_lite0(shared_data: Path, tmp_path: Path) -> None:
    run = compress(
        tmp_path / "run", "tf_efficientnet_lite0",
        "--weights", shared_data / "weights" / "tf_efficientnet_lite0.flowers5.safetensors",
        "--set", "model.num_classes=5", "--data", shared_data / "flowers5", "--calibration", "40%",
    )  # fmt: skip
    assert run["calibration"]["ids"]
    assert_every_backend_ends_with_int8(run)
