"""The picture of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from edgevit.report.plots.search_front import can_draw, draw_search
from tests.factories import make_search, make_search_point


def test_a_front_of_two_models_is_drawn(tmp_path: Path) -> None:
    search = make_search(
        make_search_point(on_front=True),
        make_search_point("static_wi8_ai8", model="$x$", drop=2.0, ms=5.0, on_front=True),
        make_search_point("static_wi8_ai8", "tome:8", ms=4.0, status="predicted"),
        make_search_point("static_wi8_ai8", "tome:4", status="failed", drop_points=None, p50_ms=None),
    )
    search = replace(search, models=(search.models[0], replace(search.models[0], name="$x$")))
    draw_search(search, tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes()[:4] == b"\x89PNG"


def test_without_a_front_there_is_nothing_to_draw() -> None:
    assert can_draw(make_search())
    assert not can_draw(make_search(make_search_point(status="failed")))
