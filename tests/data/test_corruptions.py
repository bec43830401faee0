"""Corruptions of known strength, which depend on nothing but the seed, the kind and the image."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from edgevit.data.corruptions import CORRUPTIONS, LEVELS, corrupt, parse_corruptions
from edgevit.errors import UsageError


def picture(height: int = 224, width: int = 240, mode: str = "RGB") -> Image.Image:
    """Smooth colours with edges, no pixel near black or white."""
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows / 17 + phase) + np.cos(columns / 11) + ((rows // 40 + columns // 40) % 2) for phase in (0, 1, 2)
    ]
    return Image.fromarray((128 + 20 * np.stack(waves, axis=2)).astype(np.uint8)).convert(mode)


def pixels(
    name: str, level: int, image: Image.Image | None = None, seed: int = 0, image_id: str = "a.png"
) -> np.ndarray:
    return np.asarray(corrupt(image or picture(), name, level, seed, image_id)).astype(float)


CLEAN = np.asarray(picture()).astype(float)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_changes_the_image_more_and_keeps_its_size(name: str, mode: str) -> None:
    image = picture(mode=mode)
    before = np.asarray(image).astype(float)
    changes = [np.abs(pixels(name, level, image) - before).mean() for level in LEVELS]
    assert 0 < changes[0] < changes[1] < changes[2]
    assert corrupt(image, name, 1, 0, "a").size == image.size
    assert corrupt(image, name, 1, 0, "a").mode == mode


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8)])
def test_any_size_can_be_corrupted(name: str, size: tuple[int, int]) -> None:
    assert pixels(name, 3, picture(*size)).shape == (*size, 3)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_and_image_give_the_same_bytes_whatever_came_before(name: str) -> None:
    first = [pixels(name, 2, image_id=each) for each in ("a", "b", "c")]
    np.random.default_rng(3).random(5)
    again = {each: pixels(name, 2, image_id=each) for each in ("c", "a", "b")}
    assert all(np.array_equal(found, again[each]) for found, each in zip(first, ("a", "b", "c"), strict=True))


@pytest.mark.parametrize("name", ["noise", "shift", "occlusion"])
def test_what_is_random_follows_the_seed_and_the_image(name: str) -> None:
    found = {pixels(name, 2, seed=seed, image_id=each).tobytes() for seed in range(4) for each in ("a", "b")}
    assert len(found) > 2


def test_noise_has_its_strength_and_no_bias() -> None:
    for level, sigma in zip(LEVELS[:2], CORRUPTIONS["noise"].strengths, strict=False):
        added = (pixels("noise", level) - CLEAN) / 255
        assert added.std() == pytest.approx(sigma, rel=0.05)
        assert added.mean() == pytest.approx(0, abs=0.01)


def test_noise_of_a_large_image_survives_that_it_is_made_smaller() -> None:
    grey = Image.new("L", (896, 896), 128)
    noisy = corrupt(grey, "noise", 1, 0, "a")
    small = np.asarray(noisy.resize((224, 224), Image.Resampling.BOX)).astype(float)
    assert small.std() / 255 == pytest.approx(0.08, rel=0.05)


def test_blur_scales_with_the_image() -> None:
    def edge_width(side: int) -> int:
        step = np.zeros((side, side), np.uint8)
        step[:, side // 2 :] = 255
        row = pixels("blur", 3, Image.fromarray(step))[side // 2]
        return int(((row > 25) & (row < 230)).sum())

    assert edge_width(896) == pytest.approx(4 * edge_width(224), rel=0.15)


def test_jpeg_is_that_of_pillow() -> None:
    stream = io.BytesIO()
    picture().save(stream, "JPEG", quality=7)
    assert np.array_equal(pixels("jpeg", 3), np.asarray(Image.open(stream)).astype(float))


def test_brightness_adds_to_the_value_and_keeps_hue_and_saturation() -> None:
    colour = Image.new("RGB", (2, 2), (100, 50, 20))
    assert pixels("brightness", 1, colour)[0, 0].tolist() == [126, 63, 25]  # value 100 + 25.5, all times 1.255
    assert pixels("brightness", 2, Image.new("RGB", (2, 2)))[0, 0].tolist() == [76, 76, 76]
    assert pixels("brightness", 3, Image.new("L", (2, 2), 200))[0, 0] == 255


def test_contrast_draws_each_channel_to_its_mean() -> None:
    found = pixels("contrast", 1)
    assert found.mean(axis=(0, 1)) == pytest.approx(CLEAN.mean(axis=(0, 1)), abs=0.1)
    assert found.std() == pytest.approx(0.4 * CLEAN.std(), rel=0.02)


def test_a_shift_moves_by_its_share_and_repeats_the_edge() -> None:
    columns = np.broadcast_to(np.arange(100, dtype=np.uint8), (100, 100))
    for image_id in map(str, range(8)):
        row = pixels("shift", 2, Image.fromarray(np.ascontiguousarray(columns)), image_id=image_id)[50]
        assert row.tolist() in ([0] * 8 + list(range(92)), list(range(8, 100)) + [99] * 8)


def test_an_occlusion_covers_its_share_inside_the_image() -> None:
    white = Image.new("L", (100, 100), 255)
    for image_id in map(str, range(20)):
        grey = pixels("occlusion", 3, white, image_id=image_id) == 127
        assert grey.mean() == pytest.approx(0.3, abs=0.01)
        assert grey[grey.any(axis=1)][:, grey.any(axis=0)].all()


def test_the_bytes_of_all_corruptions_are_those_of_every_version() -> None:
    rows, columns = np.mgrid[:24, :24]
    image = Image.fromarray(((7 * rows + 13 * columns) % 251).astype(np.uint8))
    found = {
        name: hashlib.sha256(corrupt(image, name, 2, 0, "a.png").tobytes()).hexdigest()[:8]
        for name in CORRUPTIONS
        if name not in ("jpeg", "blur")  # whose bytes are those of the installed Pillow
    }
    assert found == EXPECTED


EXPECTED = {
    "noise": "756741b0", "brightness": "01e2e3c8", "contrast": "5fd10d4c", "shift": "83ef4561", "occlusion": "e87b8455",
}  # fmt: skip


def test_other_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="CMYK"):
        corrupt(picture(mode="CMYK"), "noise", 1, 0, "a")


def test_names_are_read_in_their_order() -> None:
    assert parse_corruptions("jpeg, noise") == ("jpeg", "noise")
    assert parse_corruptions("none") == ()
    assert parse_corruptions(",".join(CORRUPTIONS)) == tuple(CORRUPTIONS)


@pytest.mark.parametrize(
    ("text", "message"),
    [("nois", "nois"), ("noise,", "''"), ("noise,none", "none"), ("noise,noise", "twice"), ("", "''")],
)
def test_names_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_corruptions(text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("noise", "sigma 0.18 of 0..1"),
        ("jpeg", "quality 15"),
        ("shift", "by 8% of each side"),
        ("contrast", "contrast × 0.2"),
    ],
)
def test_a_strength_in_words(name: str, words: str) -> None:
    assert CORRUPTIONS[name].parameter(2) == words
