"""Images that are decoded once: bit for bit what preprocessing each gives, mapped or streamed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from edgevit.data import prepared
from edgevit.data.images import open_images
from edgevit.data.normalize import normalize, normalized_levels
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.preprocess import fed_views, preprocess
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles
from edgevit.results.document import to_document

CONTRACT = Preprocessing((5, 4), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear", 0.9)


@pytest.fixture
def mapped(classes: Path, tmp_path: Path) -> PreparedImages:
    job = PrepareImagesJob(open_images(str(classes)).samples, CONTRACT, tmp_path / "images" / "pixels.npy")
    return prepare_images(job)


@pytest.fixture(params=["mapped", "streamed"])
def images(request: pytest.FixtureRequest, mapped: PreparedImages) -> PreparedImages:
    return mapped if request.param == "mapped" else replace(mapped, pixels=None)


def expected(images: PreparedImages) -> np.ndarray:
    source = open_images(images.samples.source)
    return np.stack([preprocess(source.image(name), images.preprocessing) for name in images.samples.ids])


def test_each_image_is_bit_for_bit_what_preprocessing_it_gives(images: PreparedImages) -> None:
    batches = list(images.batches())
    assert len(batches) == len(images) == 9
    assert all(batch.shape == (1, 3, 5, 4) and batch.dtype == np.float32 for batch in batches)
    np.testing.assert_array_equal(np.concatenate(batches), expected(images))
    np.testing.assert_array_equal(images.array(), expected(images))


def test_the_last_batch_may_be_smaller(images: PreparedImages) -> None:
    batches = list(images.batches(4))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert all(batch.flags.c_contiguous for batch in batches)
    np.testing.assert_array_equal(np.concatenate(batches), expected(images))


def test_an_array_of_many_images_is_no_memory_of_the_process(
    images: PreparedImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    size = 9 * 3 * 5 * 4 * 4
    monkeypatch.setattr(prepared, "MOST_OWN_BYTES", size)
    assert images.array().base is None
    monkeypatch.setattr(prepared, "MOST_OWN_BYTES", size - 1)
    before = sorted(tmp_path.rglob("*"))
    array = images.array()
    assert isinstance(array.base, np.memmap)
    np.testing.assert_array_equal(array, expected(images))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_selection_reads_the_same_array(images: PreparedImages) -> None:
    some = images.select((7, 2, 4))
    assert some.pixels == images.pixels
    assert some.samples.ids == tuple(images.samples.ids[place] for place in (7, 2, 4))
    np.testing.assert_array_equal(some.array(), expected(images)[[7, 2, 4]])
    np.testing.assert_array_equal(some.select((2, 0)).array(), expected(images)[[4, 7]])
    assert list(images.select(()).batches()) == []


def test_pixels_can_be_read_before_they_are_normalized(images: PreparedImages) -> None:
    some = images.select((7, 2, 4))
    pixels = some.read_pixels((2, 0))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (2, 5, 4, 3))
    levels = normalized_levels(CONTRACT)
    found = np.stack([normalize(image, levels) for image in pixels])
    np.testing.assert_array_equal(found, expected(images)[[4, 7]])


def test_mapped_images_are_not_decoded_again(mapped: PreparedImages, classes: Path) -> None:
    before = mapped.array()
    for file in classes.rglob("*.png"):
        file.unlink()
    np.testing.assert_array_equal(mapped.array(), before)


def test_the_same_pixels_serve_another_normalization(mapped: PreparedImages) -> None:
    other = replace(mapped, preprocessing=replace(CONTRACT, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)))
    np.testing.assert_array_equal(other.array(), expected(other))


def test_the_array_holds_one_row_of_bytes_per_image(mapped: PreparedImages) -> None:
    assert mapped.pixels is not None
    array = np.load(mapped.pixels)
    assert (array.dtype, array.shape) == (np.uint8, (9, 5, 4, 3))


def test_what_would_fill_the_disk_is_streamed(classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 9 * 5 * 4 * 3
    job = PrepareImagesJob(open_images(str(classes)).samples, CONTRACT, tmp_path / "run" / "pixels.npy", size - 1)
    streamed = prepare_images(job)
    assert streamed == PreparedImages(job.samples, CONTRACT)
    assert list((tmp_path / "run").iterdir()) == []
    usage = prepared.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(prepared.shutil, "disk_usage", lambda path: usage._replace(free=2 * size - 2))
    assert prepare_images(replace(job, most_bytes=size)).pixels is None
    monkeypatch.setattr(prepared.shutil, "disk_usage", lambda path: usage._replace(free=2 * size))
    assert prepare_images(replace(job, most_bytes=size)).pixels == job.pixels
    np.testing.assert_array_equal(streamed.array(), expected(streamed))


def test_a_broken_image_leaves_no_array(classes: Path, tmp_path: Path) -> None:
    (classes / "b" / "1.png").write_bytes(b"no image")
    samples = open_images(str(classes)).samples
    with pytest.raises(UsageError, match="cannot read image b/1.png"):
        prepare_images(PrepareImagesJob(samples, CONTRACT, tmp_path / "run" / "pixels.npy"))
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(UsageError, match="cannot read image b/1.png"):
        list(PreparedImages(samples, CONTRACT).batches())


def test_progress_is_told(classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(prepared, "report_progress", lambda done, total: told.append((done, total)))
    prepare_images(PrepareImagesJob(open_images(str(classes)).samples, CONTRACT, tmp_path / "pixels.npy"))
    assert told == [(done, 9) for done in range(1, 10)]


def test_it_goes_through_json(mapped: PreparedImages) -> None:
    some = mapped.select((3, 1))
    assert TypeAdapter(PreparedImages).validate_python(to_document(some)) == some


def test_every_level_is_normalized_as_computed(tmp_path: Path) -> None:
    """Every level of every channel, through the table."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    contract = Preprocessing((1, 256), CONTRACT.mean, CONTRACT.std, "nearest", 1.0, "squash")
    job = PrepareImagesJob(open_images(str(tmp_path)).samples, contract, tmp_path / "work" / "pixels.npy")
    levels = prepare_images(job).array()[0]
    wanted = (np.arange(256)[:, None] / 255.0 - np.asarray(contract.mean)) / np.asarray(contract.std)
    np.testing.assert_array_equal(levels[:, 0, :], wanted.T.astype(np.float32))


TILED = replace(CONTRACT, tiles=Tiles((16, 16), 0.25, "mean"))


@pytest.fixture(params=["mapped", "streamed"])
def tiled(request: pytest.FixtureRequest, tmp_path: Path) -> PreparedImages:
    """Three images, of four, one and two tiles."""
    for name, size in (("a", (28, 28)), ("b", (16, 9)), ("c", (16, 28))):
        shape = (*size, 3)
        save_pixels(
            np.random.default_rng(len(name)).integers(0, 256, shape, np.uint8), tmp_path / "set" / f"{name}.png"
        )
    samples = open_images(str(tmp_path / "set")).samples
    found = prepare_images(PrepareImagesJob(samples, TILED, tmp_path / "pixels.npy", all_tiles=True))
    return found if request.param == "mapped" else replace(found, pixels=None)


def save_pixels(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def tiles_of(images: PreparedImages, name: str) -> np.ndarray:
    return np.concatenate(list(fed_views(open_images(images.samples.source).image(name), TILED)))


def test_tiles_follow_each_other(tiled: PreparedImages) -> None:
    assert (len(tiled), tiled.tile_counts, tiled.sizes) == (3, (4, 1, 2), ((28, 28), (16, 9), (16, 28)))
    found = np.concatenate(list(tiled.batches(4)))
    np.testing.assert_array_equal(found, np.concatenate([tiles_of(tiled, name) for name in tiled.samples.ids]))


def test_a_selection_takes_all_tiles_of_an_image(tiled: PreparedImages) -> None:
    some = tiled.select((2, 0))
    assert (len(some), some.tile_counts) == (2, (2, 4))
    expected = np.concatenate([tiles_of(tiled, tiled.samples.ids[place]) for place in (2, 0)])
    np.testing.assert_array_equal(np.concatenate(list(some.batches())), expected)
    again = some.select((1,))
    np.testing.assert_array_equal(np.concatenate(list(again.batches())), expected[2:])
    assert TypeAdapter(PreparedImages).validate_python(to_document(some)) == some


def test_what_needs_one_picture_of_each_image_gets_one_of_its_tiles(tiled: PreparedImages, tmp_path: Path) -> None:
    found = prepare_images(PrepareImagesJob(tiled.samples, TILED, tmp_path / "one.npy"))
    assert (found.sizes, found.tile_counts) == ((), (1, 1, 1))
    pictures = found.array()
    for picture, name in zip(pictures, tiled.samples.ids, strict=True):
        assert any(np.array_equal(picture, tile) for tile in tiles_of(tiled, name))
    np.testing.assert_array_equal(replace(found, pixels=None).array(), pictures)
