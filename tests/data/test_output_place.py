"""Results never become images."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.data.output_place import check_output_place
from edgevit.errors import UsageError
from tests.data.pictures import save


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two class folders."""
    for folder in ("Bee", "Cat"):
        save(tmp_path / "data" / folder / "a.png", 0)
    return tmp_path / "data"


@pytest.mark.parametrize("out", [".", "Seen", "Bee", "Bee/run", "../data/Seen", "x/y/z"])
def test_nothing_goes_among_images_that_are_read(images: Path, out: str) -> None:
    with pytest.raises(UsageError, match="lies among the images in .*data"):
        check_output_place(images / out, (None, "digits", str(images)))


def test_nothing_goes_among_class_folders_also_unnamed(images: Path) -> None:
    with pytest.raises(UsageError, match="would count as a class"):
        check_output_place(images / "Seen")


def test_any_other_place_will_do(images: Path) -> None:
    check_output_place(images.parent / "run", ("digits:train", str(images), "calibration:digits", None))
    check_output_place(images.parent / "run")
    (images.parent / "other").mkdir()
    check_output_place(images / "Bee" / "deep")  # no class of anything, as its folder holds images itself
