"""The picture of the layers is drawn whatever was found."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from PIL import Image

from edgevit.report.plots.sensitivity import draw_layers
from edgevit.results.sensitivity import LayerSensitivity
from tests.factories import make_layer, make_sensitivity_report


@pytest.mark.parametrize(
    "layers",
    [
        [make_layer(0)],
        [make_layer(1, 3.0, 0.5), make_layer(0, 45.0, kind="conv"), make_layer(2, 60.0, kind="depthwise_conv")],
        [make_layer(0, None), make_layer(1, None)],
        [make_layer(0, -20.0, 0.0), make_layer(1, 150.0, module="")],
        [make_layer(0, 0.0, 0.1), make_layer(1, kind="another")],
        [make_layer(n, 20.0 + n % 30) for n in range(100)],
    ],
    ids=["one", "kinds", "nothing changed", "negative", "unknown kind", "many"],
)
def test_it_draws(layers: list[LayerSensitivity], tmp_path: Path) -> None:
    draw_layers(make_sensitivity_report(*layers), tmp_path / "sensitivity.png")
    with Image.open(tmp_path / "sensitivity.png") as image:
        width, height = image.size
    assert width == 1350
    assert height > 20 * len(layers)
    assert [path.name for path in tmp_path.iterdir()] == ["sensitivity.png"]


def test_the_order_is_that_of_the_graph(tmp_path: Path) -> None:
    layers = [make_layer(0, 50.0), make_layer(1, 10.0, 0.5), make_layer(2, 30.0)]
    draw_layers(make_sensitivity_report(*layers), tmp_path / "a.png")
    draw_layers(make_sensitivity_report(*sorted(layers, key=lambda layer: layer.snr_db or 0)), tmp_path / "b.png")
    draw_layers(
        make_sensitivity_report(*(make_layer(2 - n, layer.snr_db) for n, layer in enumerate(layers))),
        tmp_path / "c.png",
    )
    same, sorted_one, other = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert same == sorted_one
    assert same != other
