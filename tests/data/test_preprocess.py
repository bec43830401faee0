"""Pixels: the same as timm's evaluation transform, for every kind of picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgevit.data.preprocess import fed_views, one_view, preprocess, resize_and_crop, size_of, to_rgb, views
from edgevit.results.artifact import Preprocessing, Tiles

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def through_a_file(image: Image.Image, kind: str, **options: object) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return Image.open(io.BytesIO(stream.getvalue()))


def timm_transform(contract: Preprocessing) -> object:
    pytest.importorskip("torch")
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    data = pytest.importorskip("timm.data")
    return data.create_transform(
        (3, *contract.input_size),
        is_training=False,
        mean=contract.mean,
        std=contract.std,
        interpolation=contract.interpolation,
        crop_pct=contract.crop_pct,
        crop_mode=contract.crop_mode,
    )


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(50, 80), (80, 50), (37, 61), (32, 32), (20, 23), (300, 31)])
def test_equal_to_timm(interpolation: str, crop_mode: str, crop_pct: float, shape: tuple[int, int]) -> None:
    contract = Preprocessing((32, 32), MEAN, STD, interpolation, crop_pct, crop_mode)  # type: ignore[arg-type]
    image = picture(*shape)
    expected = timm_transform(contract)(image).numpy()  # type: ignore[operator]
    actual = preprocess(image, contract)
    assert (actual.dtype, actual.shape) == (np.float32, (3, 32, 32))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    pixels = 255 * (expected.transpose(1, 2, 0) * np.array(STD) + np.array(MEAN))
    np.testing.assert_array_equal(resize_and_crop(image, contract), np.rint(pixels))


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("shape", [(50, 80), (80, 50), (30, 31)])
def test_equal_to_timm_for_inputs_that_are_not_square(shape: tuple[int, int], crop_mode: str) -> None:
    contract = Preprocessing((24, 40), MEAN, STD, "bicubic", 0.9, crop_mode)  # type: ignore[arg-type]
    expected = timm_transform(contract)(picture(*shape)).numpy()  # type: ignore[operator]
    np.testing.assert_allclose(preprocess(picture(*shape), contract), expected, rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.5, 0.875, 1.0])
)
def test_every_size_comes_out_as_asked(height: int, width: int, rows: int, columns: int, crop_pct: float) -> None:
    contract = Preprocessing((rows, columns), MEAN, STD, "bilinear", crop_pct)
    assert resize_and_crop(picture(height, width), contract).shape == (rows, columns, 3)


def test_the_centre_is_cut_out_and_normalized() -> None:
    """Known answer: a 4 x 8 picture, 4 x 4 input: the middle four columns, (value / 255 - 0.5) / 0.25."""
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, 2:6, 0] = 255
    out = preprocess(Image.fromarray(pixels), Preprocessing((4, 4), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    np.testing.assert_array_equal(out[0], np.full((4, 4), 2.0, np.float32))
    np.testing.assert_array_equal(out[1:], np.full((2, 4, 4), -2.0, np.float32))
    assert out.flags["C_CONTIGUOUS"]


def test_exif_rotation_is_applied() -> None:
    upright = np.zeros((2, 3, 3), np.uint8)
    upright[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture has to be turned by 90 degrees clockwise
    stored = Image.fromarray(np.rot90(upright).copy())
    turned = to_rgb(through_a_file(stored, "PNG", exif=exif))
    assert turned.size == (3, 2)
    np.testing.assert_array_equal(np.asarray(turned), upright)


def test_grey_is_repeated() -> None:
    grey = np.array([[0, 100], [200, 255]], np.uint8)
    np.testing.assert_array_equal(np.asarray(to_rgb(Image.fromarray(grey))), np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_dropped_not_blended(mode: str) -> None:
    image = Image.new(mode, (2, 2), (200, 0) if mode == "LA" else (200, 200, 200, 0))
    assert to_rgb(through_a_file(image, "PNG")).getpixel((0, 0)) == (200, 200, 200)


def test_palette_becomes_its_colours() -> None:
    image = Image.new("RGB", (4, 4), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert to_rgb(through_a_file(image, "PNG")).getpixel((1, 1)) == (10, 200, 30)


def test_cmyk_is_converted() -> None:
    image = through_a_file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")
    assert image.mode == "CMYK"
    assert to_rgb(image).getpixel((0, 0)) == (255, 0, 0)


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    deep = np.array([[0, 257, 32896, 65535, 256, 65534]], np.uint16)
    image = through_a_file(Image.fromarray(deep), "PNG")
    assert image.mode.startswith("I")
    grey = np.asarray(to_rgb(image))[..., 0]
    np.testing.assert_array_equal(grey, [[0, 1, 128, 255, 0, 254]])


def test_one_bit_is_black_and_white() -> None:
    image = through_a_file(Image.fromarray(np.array([[True, False]])), "PNG")
    assert image.mode == "1"
    assert [to_rgb(image).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


def test_floating_point_pixels_are_refused() -> None:
    image = through_a_file(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    with pytest.raises(ValueError, match="no agreed range"):
        to_rgb(image)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        to_rgb(Image.new("RGB", (0, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_as_pillow_does(orientation: int, kind: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    stored = through_a_file(picture(5, 7), kind, exif=exif, **lossless)
    expected = ImageOps.exif_transpose(stored.copy() if kind == "TIFF" else stored).convert("RGB")
    stored = through_a_file(picture(5, 7), kind, exif=exif, **lossless)
    np.testing.assert_array_equal(np.asarray(to_rgb(stored)), np.asarray(expected))


def test_a_damaged_tag_beside_the_orientation_does_not_matter() -> None:
    """One tag claims more values than the EXIF block has: writing it again, as Pillow does when it turns, fails."""
    entries = b"\x00\x02" + b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"  # orientation: 6
    entries += b"\x01\x1a\x00\x05\x00\x00\x00\x01\x00\x00\xff\xff"  # resolution, at an offset past the end
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08" + entries + b"\x00\x00\x00\x00"
    turned = to_rgb(through_a_file(picture(5, 7), "JPEG", exif=exif))
    assert turned.size == (5, 7)
    assert to_rgb(through_a_file(picture(5, 7), "JPEG", exif=b"Exif\x00\x00nonsense")).size == (7, 5)


def test_pixels_are_fed_as_they_are_where_normalizing_leaves_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image, normalized = Image.fromarray(pixels), Preprocessing((9, 7), (0.5,) * 3, (0.5,) * 3)
    np.testing.assert_array_equal(next(fed_views(image, normalized)), preprocess(image, normalized)[None])
    as_they_are = Preprocessing((9, 7), (0.0,) * 3, (1 / 255,) * 3)
    fed = next(fed_views(image, as_they_are))
    assert (fed.dtype, fed.flags.writeable) == (np.uint8, True)  # OpenVINO shares the memory
    np.testing.assert_array_equal(fed[0], pixels)
    np.testing.assert_array_equal(preprocess(image, as_they_are), pixels.transpose(2, 0, 1))  # exactly


TILED = Preprocessing((32, 32), MEAN, STD, "bilinear", 0.875, tiles=Tiles((32, 32), 0.25, "mean"))


def test_tiles_of_the_input_size_are_the_pixels_themselves() -> None:
    image = picture(60, 90)
    pixels = np.asarray(image)
    found = list(views(image, TILED))
    places = [(top, left) for top in (0, 14, 28) for left in (0, 19, 38, 58)]
    assert len(found) == 12
    for view, (top, left) in zip(found, places, strict=True):
        np.testing.assert_array_equal(view, pixels[top : top + 32, left : left + 32])
    np.testing.assert_array_equal(one_view(image, TILED, 12 + 5), found[5])


@pytest.mark.parametrize("size", [(32, 32), (20, 31)])
def test_an_image_no_larger_than_a_tile_is_fed_as_ever(size: tuple[int, int]) -> None:
    (view,) = views(picture(*size), TILED)
    np.testing.assert_array_equal(view, resize_and_crop(picture(*size), TILED))
    np.testing.assert_array_equal(one_view(picture(*size), TILED, 7), view)


@pytest.mark.parametrize("size", [(64, 80), (10, 90), (33, 32)])
def test_all_tiles_of_a_constant_image_are_equal(size: tuple[int, int]) -> None:
    contract = Preprocessing((24, 40), MEAN, STD, tiles=Tiles((32, 48), 0.1, "max"))
    found = list(fed_views(Image.new("RGB", (size[1], size[0]), (10, 200, 30)), contract))
    assert len(found) > 1
    assert found[0].shape == (1, 3, 24, 40)
    for view in found:
        np.testing.assert_array_equal(view, found[0])


def test_planes_of_any_channels_are_cut_like_an_image() -> None:
    """Known answer: three channels as an array are what the image is."""
    image = picture(20, 70)
    assert size_of(image) == size_of(np.asarray(image)) == (20, 70)
    for of_image, of_array in zip(views(image, TILED), views(np.asarray(image), TILED), strict=True):
        np.testing.assert_array_equal(of_image, of_array)


def test_an_array_is_cut_and_stays_as_it_is() -> None:
    values = np.random.default_rng(0).normal(size=(40, 32, 2)).astype(np.float32)
    contract = Preprocessing((32, 32), (0.0,) * 2, (1.0,) * 2, input="array", tiles=Tiles((32, 32), 0.0, "mean"))
    first, second = views(values, contract)
    np.testing.assert_array_equal(first, values[:32])
    np.testing.assert_array_equal(second, values[8:])
