"""What the script beside an artifact takes and says; that it does as edgevit does is in tests/contract/test_channels.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.use_pixels import given_files, imports_pillow, pixel_lines
from edgevit.results.artifact import Preprocessing
from tests.factories import make_contract

RGB = Preprocessing((8, 6), (0.5,) * 3, (0.5,) * 3)
GREY = Preprocessing((8, 6), (0.5,), (0.5,))
FOUR = Preprocessing((8, 6), (0.5,) * 4, (0.5,) * 4)
ARRAY = Preprocessing((8, 6), (0.0,), (1.0,), input="array")


@pytest.mark.parametrize(
    ("wanted", "files", "imports"),
    [
        (RGB, "IMAGE...", "from PIL import Image, ImageOps\n"),
        (GREY, "IMAGE...", "from PIL import Image, ImageOps\n"),
        (FOUR, "ARRAY.npy...", "from PIL import Image\n"),
        (ARRAY, "ARRAY.npy...", ""),
    ],
)
def test_what_a_script_takes(wanted: Preprocessing, files: str, imports: str) -> None:
    assert (given_files(wanted), imports_pillow(wanted)) == (files, imports)


@pytest.mark.parametrize("wanted", [FOUR, ARRAY], ids=["four channels", "array"])
def test_another_array_ends_the_script(wanted: Preprocessing, tmp_path: Path) -> None:
    names = {"np": np, "sys": sys, "MEAN": wanted.mean, "STD": wanted.std, "HEIGHT": 8, "WIDTH": 6}
    functions: dict[str, object] = dict(names)
    exec(pixel_lines(make_contract(preprocessing=wanted)), functions)
    np.save(tmp_path / "a.npy", np.zeros((8, 6, 3), np.float32))
    load_pixels = functions["load_pixels"]
    assert callable(load_pixels)
    with pytest.raises(
        SystemExit, match=r"a.npy is float32 \[8, 6, 3\], not (uint8 \[height, width, 4\]|float32 \[8, 6, 1\])"
    ):
        load_pixels(tmp_path / "a.npy")
