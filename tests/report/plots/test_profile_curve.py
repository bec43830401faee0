"""The picture of several predictions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.report.plots.profile_curve import draw_profiles, has_sizes, places_of
from edgevit.results.profiled import Profiled
from tests.factories import make_prediction

SMALL = Profiled("resnet18", "captured", (160, 160), 900_000_000, (make_prediction(10, 30),))
LARGE = replace(SMALL, input_size=(224, 448), macs=3_500_000_000, predictions=(make_prediction(60, 90),))
FILE = Profiled("model.tflite", "file", None, None, (make_prediction(1, 2, latency_ms=None, unsupported_ops=("X",)),))


def test_the_axis_is_the_input_size_where_a_model_has_several() -> None:
    assert has_sizes((SMALL, LARGE))
    assert places_of((SMALL, LARGE)) == [160, math.sqrt(224 * 448)]
    assert not has_sizes((SMALL, replace(SMALL, target="resnet50")))
    assert not has_sizes((SMALL, FILE))
    assert places_of((SMALL, FILE)) == [0, 1]


@pytest.mark.parametrize("profiles", [(SMALL, LARGE), (SMALL, FILE)])
def test_it_is_drawn_the_same_each_time(profiles: tuple[Profiled, ...], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        draw_profiles(profiles, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first.startswith(b"\x89PNG\r\n")
    assert first == second
