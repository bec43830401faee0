"""Masks beside images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.images import ImageSet, open_images
from edgevit.data.masks import open_masks
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

WANTED = Preprocessing((4, 4), (0.5,) * 3, (0.5,) * 3, "bilinear")


def save(folder: Path, name: str, mask: np.ndarray, mode: str = "L") -> None:
    folder.mkdir(exist_ok=True)
    pixels = np.ascontiguousarray(mask, np.uint8)
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    if mode == "P":
        image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    image.save(folder / name)


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    for name, size in (("a", (8, 8)), ("b", (16, 8))):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", size).save(tmp_path / "images" / f"{name}.png")
    return open_images(str(tmp_path / "images"))


def test_a_mask_goes_the_way_of_its_image(images: ImageSet, tmp_path: Path) -> None:
    square = np.repeat(np.repeat(np.array([[0, 1], [2, 255]]), 4, 0), 4, 1)
    wide = np.concatenate([np.full((8, 4), 9), np.full((8, 4), 3), np.full((8, 4), 4), np.full((8, 4), 9)], 1)
    save(tmp_path / "masks", "a.png", square)
    save(tmp_path / "masks", "b.png", wide, "P")  # its sides are cropped off
    found = open_masks(images, tmp_path / "masks", WANTED, (2, 2), 5)
    assert (found.dtype, found.shape) == (np.uint8, (2, 2, 2))
    assert found.tolist() == [[[0, 1], [2, 255]], [[3, 4], [3, 4]]]


def test_what_is_no_mask_is_refused(images: ImageSet, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    with pytest.raises(UsageError, match="no such folder of masks"):
        open_masks(images, masks, WANTED, (2, 2), 5)
    save(masks, "a.png", np.zeros((8, 8)))
    with pytest.raises(UsageError, match="has no mask for 1 of 2 images, such as b.png"):
        open_masks(images, masks, WANTED, (2, 2), 5)
    save(masks, "b.png", np.zeros((8, 8)))
    with pytest.raises(UsageError, match="b.png is 8 x 8 pixels, its image b.png 16 x 8"):
        open_masks(images, masks, WANTED, (2, 2), 5)
    save(masks, "b.png", np.full((8, 16), 5))
    with pytest.raises(UsageError, match=r"mask of b.png has the class 5, and the output has 5 classes \(0 to 4\)"):
        open_masks(images, masks, WANTED, (2, 2), 5)
    Image.new("RGB", (16, 8)).save(masks / "b.png")
    with pytest.raises(UsageError, match="b.png has pixels of RGB, not indices"):
        open_masks(images, masks, WANTED, (2, 2), 5)
    (masks / "b.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot read the mask"):
        open_masks(images, masks, WANTED, (2, 2), 5)
