"""One image, however it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.single_image import read_single_image
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

CONTRACT = Preprocessing((5, 7), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_a_file_an_image_and_an_array_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    for given in (path, str(path), Image.fromarray(PIXELS), PIXELS, PIXELS[:, ::-1][:, ::-1]):
        image = read_single_image(given, CONTRACT)
        assert isinstance(image, Image.Image) and image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), PIXELS)


def test_grey_is_repeated_and_a_turned_image_is_upright(tmp_path: Path) -> None:
    grey = read_single_image(PIXELS[:, :, 0], CONTRACT)
    np.testing.assert_array_equal(np.asarray(grey), np.repeat(PIXELS[:, :, :1], 3, axis=2))
    turned = Image.fromarray(PIXELS)
    turned.getexif()[0x0112] = 3  # it was taken upside down
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    np.testing.assert_array_equal(np.asarray(read_single_image(tmp_path / "turned.png", CONTRACT)), PIXELS[::-1, ::-1])


@pytest.mark.parametrize(
    "array",
    [PIXELS.astype(np.float32), PIXELS[None], PIXELS.transpose(2, 0, 1), PIXELS[:0], PIXELS.astype(np.int64)],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="is no image") as caught:
        read_single_image(array, CONTRACT)
    assert caught.value.hint and "uint8 [height, width, 3]" in caught.value.hint


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for name, reason in (("text.jpg", "not an image"), ("nowhere.jpg", "it does not exist"), (".", "it is a folder")):
        with pytest.raises(UsageError, match=f"cannot read .*: {reason}"):
            read_single_image(tmp_path / name, CONTRACT)


def test_a_model_of_one_channel_gets_grey(tmp_path: Path) -> None:
    contract = Preprocessing((5, 7), (0.5,), (0.5,))
    Image.fromarray(PIXELS).save(tmp_path / "image.png")
    expected = np.asarray(Image.fromarray(PIXELS).convert("L"))
    for given in (tmp_path / "image.png", PIXELS, expected, expected[..., None]):
        image = read_single_image(given, contract)
        assert isinstance(image, Image.Image) and image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_a_model_of_four_channels_gets_an_array(tmp_path: Path) -> None:
    contract = Preprocessing((5, 7), (0.5,) * 4, (0.5,) * 4)
    pixels = np.random.default_rng(1).integers(0, 256, (9, 8, 4), dtype=np.uint8)
    np.save(tmp_path / "image.npy", pixels)
    np.savez(tmp_path / "image.npz", images=pixels[None])
    for given in (pixels, tmp_path / "image.npy"):
        np.testing.assert_array_equal(np.asarray(read_single_image(given, contract)), pixels)
    with pytest.raises(UsageError, match="holds several arrays"):
        read_single_image(tmp_path / "image.npz", contract)
    with pytest.raises(UsageError, match="holds RGB images, and the model takes 4 channels"):
        read_single_image(Image.fromarray(PIXELS), contract)
    with pytest.raises(UsageError, match=r"an array uint8 \[5, 7, 3\] is no image that the model takes"):
        read_single_image(PIXELS, contract)


def test_a_model_of_arrays_gets_floats_of_its_own_shape(tmp_path: Path) -> None:
    contract = Preprocessing((5, 7), (0.0,), (1.0,), input="array")
    values = np.random.default_rng(1).standard_normal((5, 7)).astype(np.float32)
    np.save(tmp_path / "image.npy", values)
    for given in (values, values[..., None], values.astype(np.float64), tmp_path / "image.npy"):
        found = read_single_image(given, contract)
        assert isinstance(found, np.ndarray) and found.dtype == np.float32
        np.testing.assert_array_equal(found, values[..., None])
    for refused in (values[:4], values.T, np.zeros((5, 7), np.uint8), np.repeat(values[..., None], 2, 2)):
        with pytest.raises(UsageError, match="is no image that the model takes") as caught:
            read_single_image(refused, contract)
        assert caught.value.hint == "give float32 [5, 7, 1], finite values as they are"
    with pytest.raises(UsageError, match="holds NaN or infinity"):
        read_single_image(np.full((5, 7), np.nan, np.float32), contract)
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot read .*broken.npy"):
        read_single_image(tmp_path / "broken.npy", contract)
