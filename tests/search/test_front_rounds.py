"""The front is timed in rounds; how long that takes is kept for it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from edgevit.results.search import PointSettings
from edgevit.search.front_rounds import rounds_seconds


def test_more_points_take_longer() -> None:
    points = [PointSettings("net", backend, "fp32") for backend in ("onnxruntime", "openvino", "litert")]
    assert 0 < rounds_seconds(points[:1]) < rounds_seconds(points) < 60
    assert rounds_seconds([]) == 0
