"""Broken images are all named, and nothing is made of what follows the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.data.images import open_images
from edgevit.data.unbroken import each_unbroken
from edgevit.errors import UsageError
from tests.data.pictures import save


def test_all_broken_images_are_named(tmp_path: Path) -> None:
    for name in "abcd":
        save(tmp_path / f"{name}.png", seed=1)
    for name in "bd":
        (tmp_path / f"{name}.png").write_bytes(b"no image")
    images = open_images(str(tmp_path))
    made = each_unbroken(images, lambda image_id: np.asarray(images.image(image_id)))
    assert np.array_equal(next(made), np.asarray(images.image("a.png")))
    with pytest.raises(UsageError, match="2 broken images") as error:
        next(made)
    assert "b.png" in error.value.message and "d.png" in error.value.message


def test_whole_images_come_in_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2))
    images = open_images(str(tmp_path / "a.npz"))
    firsts = [int(each.flat[0]) for each in each_unbroken(images, images.values)]
    assert firsts == [0, 4, 8, 12, 16]
