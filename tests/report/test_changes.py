"""What changed, in words."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.report.changes import change_lines, change_rows
from edgevit.results.changes import (
    AccuracyChange,
    AmountChange,
    Changes,
    ComparedArtifact,
    Flip,
    LatencyChange,
    NotCompared,
    OpChange,
    SettingChange,
    ShiftChange,
)
from edgevit.results.measurement import Interval


def make_changes(**changes: Any) -> Changes:
    """A comparison of two files that slowed down and lost two images."""
    flips = tuple(Flip(f"{place}.png", 3, 3, 5) for place in range(12))
    values: dict[str, Any] = {
        "before": ComparedArtifact("old.onnx", None, None, "old.onnx", None),
        "after": ComparedArtifact("run", "/run", "onnxruntime/fp32/dense", "/run/new.onnx", "digits_cnn"),
        "accuracy": AccuracyChange("digits", 100, 0.9, 0.78, 12.0, Interval(5, 20), 12, 0, 0.0005, flips),
        "latency": LatencyChange(10.0, 12.5, 0.8, Interval(0.75, 0.85), "measured now"),
        "amounts": (AmountChange("file size", "bytes", 2000, 1000), AmountChange("process memory", "bytes", None, 5)),
        "ops": (OpChange("conv", "int8_static", 0, 20),),
        "settings": (SettingChange("numpy", "2.4", "2.5"),),
        "shift": (ShiftChange("noise", 1.0, 3.0), ShiftChange("blur", None, 1.0)),
        "not_compared": (NotCompared("calibration", "old.onnx is a file of no run"),),
    }
    return Changes(**{**values, **changes})


def test_a_row_for_each_number() -> None:
    assert change_rows(make_changes()) == [
        ("top-1", "90.0 %", "78.0 %", "-12.0 pt (-20.0 to -5.0 pt)"),
        ("latency p50", "10.0 ms", "12.5 ms", "0.80 × as fast (0.75 to 0.85 ×)"),
        ("file size", "2.0 kB", "1.0 kB", "-50.0 %"),
        ("process memory", "–", "5 B", "–"),
        ("change under noise", "-1.0 pt", "-3.0 pt", "-2.0 pt"),
        ("change under blur", "–", "-1.0 pt", "–"),
    ]


def test_lines_say_the_rest_and_name_at_most_ten_images() -> None:
    lines = change_lines(make_changes())
    assert lines[0] == (
        "accuracy: 12 of 100 images of digits changed their class: 12 only A recognizes, 0 only B; McNemar's exact test:"
        " p = 0.0005, a difference"
    )
    assert lines[1] == "  0.png: class 3, A says 3, B 5"
    assert lines[11] == "  and 2 more: --json has all"
    assert "latency: timed alternately now; B is slower" in lines
    assert "ops: 0 to 20 conv in int8_static" in lines and "numpy: 2.4 → 2.5" in lines
    assert "not compared: calibration: old.onnx is a file of no run" in lines


@pytest.mark.parametrize(
    ("interval", "speed_up", "words"), [((0.9, 1.2), 1.1, "no difference is shown"), ((1.1, 1.3), 1.2, "B is faster")]
)
def test_a_latency_in_a_word(interval: tuple[float, float], speed_up: float, words: str) -> None:
    latency = LatencyChange(10, 9, speed_up, Interval(*interval), "same rounds")
    assert any(line.endswith(words) for line in change_lines(make_changes(latency=latency)))
    assert change_lines(make_changes(latency=None, accuracy=None, ops=(), settings=(), not_compared=())) == []
