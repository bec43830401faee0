"""The lines of a script for tiles do exactly what edgevit does."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgevit.artifacts.tiled import reduce_logits
from edgevit.artifacts.use_pixels import pixel_lines
from edgevit.artifacts.use_script import use_script
from edgevit.artifacts.use_tiles import tile_lines
from edgevit.backends import get_backend
from edgevit.data.preprocess import fed_views, to_rgb
from edgevit.results.artifact import Preprocessing, Tiles
from tests.factories import make_contract


def functions(wanted: Preprocessing) -> dict[str, Any]:
    height, width = wanted.input_size
    names: dict[str, Any] = {"math": math, "np": np, "sys": sys, "Image": Image, "ImageOps": ImageOps}
    names |= {"HEIGHT": height, "WIDTH": width, "MEAN": wanted.mean, "STD": wanted.std}
    exec(pixel_lines(make_contract(preprocessing=wanted)), names)
    return names


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(20, 20), (60, 90), (17, 70), (40, 33)])
@pytest.mark.parametrize("tile", [(32, 32), (24, 40)])
def test_views_are_what_edgevit_feeds(
    size: tuple[int, int], tile: tuple[int, int], channels: int, tmp_path: Path
) -> None:
    wanted = Preprocessing(
        (32, 32), (0.4,) * channels, (0.2,) * channels, "bilinear", 0.9, tiles=Tiles(tile, 0.3, "mean")
    )
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / "a.png")
    found = functions(wanted)["load_pixels"](tmp_path / "a.png")
    image = to_rgb(Image.open(tmp_path / "a.png"))
    expected = list(fed_views(image if channels == 3 else image.convert("L"), wanted))
    assert len(found) == len(expected)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


@pytest.mark.parametrize("reduce", ["mean", "max", "best"])
@pytest.mark.parametrize("classes", [1, 5])
def test_tiles_are_reduced_as_edgevit_does(reduce: Any, classes: int) -> None:
    wanted = Preprocessing((32, 32), (0.4,) * 3, (0.2,) * 3, tiles=Tiles((32, 32), 0.3, reduce))
    rows = np.random.default_rng(0).normal(0, 3, (4, classes)).astype(np.float32)
    reduce_tiles = functions(wanted)["reduce_tiles"]
    found, expected = reduce_tiles(list(rows)), reduce_logits(rows, reduce)
    found, expected = (np.array([0, each[0]]) if len(each) == 1 else each for each in (found, expected))
    found, expected = (np.exp(each - each.max()) / np.exp(each - each.max()).sum() for each in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert reduce_tiles([rows[0]]) is not None
    np.testing.assert_array_equal(reduce_tiles([rows[0]]), rows[0])


def test_the_script_feeds_each_tile() -> None:
    tiles = Tiles((224, 224), 0.1, "best")
    wanted = Preprocessing((224, 224), (0.5,) * 3, (0.5,) * 3, tiles=tiles)
    script = use_script(get_backend("onnxruntime"), "model.onnx", make_contract(preprocessing=wanted, outputs=()))
    assert "logits = reduce_tiles([run(pixels) for pixels in load_pixels(path)])" in script
    assert tile_lines(wanted, tiles) in script
    assert "import math\n" in script
    compile(script, "use.py", "exec")
