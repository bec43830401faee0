"""The roofline is drawn with the roofs that are known, of the layers that have a rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from edgevit.errors import UsageError
from edgevit.report.plots.roofline import can_draw_roofline, draw_roofline
from edgevit.results.layer_times import LayerTimes, Peak, Roofs
from tests.factories import make_layer_times

FOUND = make_layer_times()
MOVED = replace(FOUND, layers=tuple(replace(layer, macs=0) for layer in FOUND.layers))


@pytest.mark.parametrize(
    "found",
    [
        FOUND,
        make_layer_times(source="measured"),
        make_layer_times(1),
        replace(FOUND, roofs=Roofs("a GPU", (Peak("float16", 4e13),), None)),
        replace(FOUND, layers=(replace(FOUND.layers[0], arithmetic=""), *MOVED.layers)),
    ],
    ids=["roofs", "no roofs", "one layer", "no bandwidth", "one with products"],
)
def test_it_draws(found: LayerTimes, tmp_path: Path) -> None:
    assert can_draw_roofline(found)
    draw_roofline("model.onnx", found, tmp_path / "roofline.png")
    with Image.open(tmp_path / "roofline.png") as image:
        assert image.size == (1350, 900)
    assert [path.name for path in tmp_path.iterdir()] == ["roofline.png"]


def test_without_products_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert not can_draw_roofline(MOVED)
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_roofline("model.onnx", MOVED, tmp_path / "roofline.png")
    assert list(tmp_path.iterdir()) == []
