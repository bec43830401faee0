"""The picture of the layers is drawn whatever was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from edgevit.report.plots.layers import draw_layer_times, short_name
from edgevit.results.layer_times import LayerTimes
from tests.factories import make_layer_times

ONE = make_layer_times(1)


@pytest.mark.parametrize(
    "found",
    [
        ONE,
        make_layer_times(21),
        make_layer_times(400, "measured"),
        replace(ONE, layers=(replace(ONE.layers[0], ms=0.0, name=r"$\frac{\x$" * 20),)),
    ],
    ids=["one", "one more than is named", "many", "no time and a long name"],
)
def test_it_draws(found: LayerTimes, tmp_path: Path) -> None:
    draw_layer_times("model.onnx", found, tmp_path / "layers.png")
    with Image.open(tmp_path / "layers.png") as image:
        width, height = image.size
    assert width == 1350
    assert 700 < height < 1400
    assert [path.name for path in tmp_path.iterdir()] == ["layers.png"]


def test_a_long_name_loses_its_middle() -> None:
    assert short_name("blocks.0.attn.qkv") == "blocks.0.attn.qkv"
    short = short_name("native_layer_norm_1/aten.native_layer_norm.default/Add_0_0/nncf_smooth_quant/fq_output_0")
    assert len(short) == 44
    assert short.startswith("native_layer_norm_1") and short.endswith("quant/fq_output_0")
