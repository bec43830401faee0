"""One image, however it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.single_image import read_single_image
from edgevit.errors import UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_a_file_an_image_and_an_array_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    for given in (path, str(path), Image.fromarray(PIXELS), PIXELS, PIXELS[:, ::-1][:, ::-1]):
        image = read_single_image(given)
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), PIXELS)


def test_grey_is_repeated_and_a_turned_image_is_upright(tmp_path: Path) -> None:
    grey = read_single_image(PIXELS[:, :, 0])
    np.testing.assert_array_equal(np.asarray(grey), np.repeat(PIXELS[:, :, :1], 3, axis=2))
    turned = Image.fromarray(PIXELS)
    turned.getexif()[0x0112] = 3  # it was taken upside down
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    np.testing.assert_array_equal(np.asarray(read_single_image(tmp_path / "turned.png")), PIXELS[::-1, ::-1])


@pytest.mark.parametrize(
    "array",
    [PIXELS.astype(np.float32), PIXELS[None], PIXELS.transpose(2, 0, 1), PIXELS[:0], PIXELS.astype(np.int64)],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="is no image") as caught:
        read_single_image(array)
    assert caught.value.hint and "uint8 [height, width, 3]" in caught.value.hint


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for name, reason in (("text.jpg", "not an image"), ("nowhere.jpg", "it does not exist"), (".", "it is a folder")):
        with pytest.raises(UsageError, match=f"cannot read .*: {reason}"):
            read_single_image(tmp_path / name)
