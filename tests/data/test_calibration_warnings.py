"""What is doubtful about a calibration set is said, and nothing is said of a good one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.calibration_warnings import (
    MIN_ADJACENT_CORRELATION,
    MIN_IMAGES,
    adjacent_correlation,
    calibration_warnings,
)
from edgevit.data.images import ImageSet, open_images
from edgevit.errors import UsageError


def picture(seed: int, side: int = 24) -> np.ndarray:
    """Something smooth, uint8 [side, side, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def noise(seed: int, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def images_of(pixels: list[np.ndarray], labels: tuple[int, ...] | None = None) -> ImageSet:
    by_id = {str(index): one for index, one in enumerate(pixels)}
    return ImageSet("source", tuple(by_id), labels, by_id.__getitem__)


GOOD = [picture(seed) for seed in range(MIN_IMAGES)]


def test_a_good_set_gives_no_warning() -> None:
    assert calibration_warnings(images_of(GOOD)) == ()
    assert calibration_warnings(images_of(GOOD, (0, *(1 for _ in GOOD[1:])))) == ()


def test_fewer_than_32_images() -> None:
    (warning,) = calibration_warnings(images_of(GOOD[:31]))
    assert warning.startswith("only 31 calibration images: give 32 or more")
    assert calibration_warnings(images_of(GOOD[:1]))[0].startswith("only 1 calibration image: ")


def test_copies_do_not_count() -> None:
    (warning,) = calibration_warnings(images_of([*GOOD[:31]] * 3))
    assert warning.startswith("only 31 different calibration images: ")


def test_all_images_the_same() -> None:
    (warning,) = calibration_warnings(images_of([GOOD[0]] * 40))
    assert warning.startswith("all 40 calibration images are identical")


def test_the_same_picture_in_two_files_is_one(tmp_path: Path) -> None:
    for level in range(10):
        Image.fromarray(GOOD[0]).save(tmp_path / f"{level}.png", compress_level=level)
    images = open_images(str(tmp_path))
    assert len({images.sha256(image_id) for image_id in images.ids}) > 1
    (warning,) = calibration_warnings(images)
    assert "all 10 calibration images are identical" in warning


def test_one_class() -> None:
    (warning,) = calibration_warnings(images_of(GOOD, (7,) * MIN_IMAGES))
    assert warning.startswith("all 32 calibration images are of one class (7)")


def test_images_of_one_colour() -> None:
    flat = [np.full((8, 8, 3), (shade, 100, 200), np.uint8) for shade in range(9)]
    (warning,) = calibration_warnings(images_of([*GOOD, *flat]))
    assert warning.startswith("9 of 41 calibration images are of one colour")


def test_noise_of_the_noise_source_and_of_files(tmp_path: Path) -> None:
    (warning,) = calibration_warnings(open_images("noise:32"))
    assert warning.startswith("the calibration images look like random data")
    np.savez(tmp_path / "n.npz", images=np.stack([noise(seed, 32) for seed in range(40)]))
    assert "random data" in calibration_warnings(open_images(str(tmp_path / "n.npz")))[0]


@pytest.mark.parametrize("side", [6, 8, 32, 224])
@pytest.mark.parametrize("quality", [None, 50, 75, 95])
def test_noise_is_below_the_limit_at_every_size_and_as_jpeg(side: int, quality: int | None) -> None:
    found = []
    for seed in range(MIN_IMAGES):
        stream = io.BytesIO()
        if quality:
            Image.fromarray(noise(seed, side)).save(stream, "JPEG", quality=quality)
        pixels = np.asarray(Image.open(stream)) if quality else noise(seed, side)
        found.append(adjacent_correlation(pixels) or 0.0)
    assert np.mean(found) < 0.7 * MIN_ADJACENT_CORRELATION


def test_digits_are_far_above_the_limit() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    assert calibration_warnings(open_images("calibration:digits")) == ()
    raw = [np.repeat(one[..., None], 3, axis=2) for one in datasets.load_digits().images[:200]]
    found = [adjacent_correlation(one) or 0.0 for one in raw]
    assert np.mean(found) > 2 * MIN_ADJACENT_CORRELATION


@pytest.mark.parametrize("side", [None, 32, 8])
def test_photographs_are_far_above_the_limit(shared_data: Path, side: int | None) -> None:
    photographs = open_images(str(shared_data / "flowers5"))
    found = []
    for image_id in photographs.ids[::9]:
        image = photographs.image(image_id)
        found.append(adjacent_correlation(np.asarray(image.resize((side, side)) if side else image)) or 0.0)
    assert np.mean(found) > 2 * MIN_ADJACENT_CORRELATION


def test_the_correlation_of_known_images() -> None:
    ramp = np.arange(64.0)[:, None, None] * np.ones((64, 64, 3))
    chess = np.indices((8, 8)).sum(0)[..., None] % 2 * np.ones((8, 8, 3))
    assert adjacent_correlation(ramp) == pytest.approx(1, abs=0.05)
    assert adjacent_correlation(chess) == pytest.approx(-1)
    assert adjacent_correlation(np.array([[[0.0], [0.0], [3.0], [3.0]]])) == pytest.approx(1 / 3)
    assert adjacent_correlation(np.ones((5, 5, 3)) * (1.0, 2.0, 3.0)) is None
    assert adjacent_correlation(np.ones((1, 1, 3))) is None


def test_progress_reaches_the_end_and_a_broken_image_is_named() -> None:
    seen: list[tuple[int, int]] = []
    calibration_warnings(images_of(GOOD[:3]), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    broken = ImageSet("source", ("it",), None, lambda _: b"no image")
    with pytest.raises(UsageError, match="cannot read image it"):
        calibration_warnings(broken)
