"""Images in files that can be sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.data.images import Samples, open_samples
from edgevit.data.normalize import normalizer
from edgevit.data.pixel_files import PackImagesJob, pack_images
from edgevit.data.prepared import PreparedImages, prepare_views
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles
from edgevit.run.files import file_sha256
from tests.data.pictures import save

IMAGES = Preprocessing((5, 4), (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    for name in range(5):
        save(tmp_path / "photos" / f"{name}.png", seed=name, side=9)
    return Samples(str(tmp_path / "photos"), tuple(f"{name}.png" for name in (0, 1, 4, 3, 2)))


def packed(samples: Samples, contract: Preprocessing, folder: Path, most_bytes: int) -> list[np.ndarray]:
    folder.mkdir()
    found = pack_images(PackImagesJob(samples, contract, folder, most_bytes)).files
    assert [each.sha256 for each in found] == [file_sha256(each.path) for each in found]
    arrays = [np.load(each.path) for each in found]
    assert [len(array) for array in arrays] == [each.images for each in found]
    assert sorted(folder.iterdir()) == [each.path for each in found]
    return arrays


def test_they_are_what_a_model_takes_before_it_is_normalized(samples: Samples, tmp_path: Path) -> None:
    arrays = packed(samples, IMAGES, tmp_path / "a", 130)
    assert [array.shape for array in arrays] == [(2, 5, 4, 3), (2, 5, 4, 3), (1, 5, 4, 3)], "60 bytes each"
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8)}
    normalize = normalizer(IMAGES)
    expected = [batch[0] for batch in PreparedImages(samples, IMAGES).batches()]
    assert np.array_equal([normalize(row) for array in arrays for row in array], expected)


def test_equal_images_make_equal_files_whatever_normalizes_them(samples: Samples, tmp_path: Path) -> None:
    other = Preprocessing((5, 4), (0.1,) * 3, (0.9,) * 3)
    for name, contract in (("a", IMAGES), ("b", other)):
        packed(samples, contract, tmp_path / name, 1 << 20)
    assert file_sha256(*(tmp_path / "a").iterdir()) == file_sha256(*(tmp_path / "b").iterdir())


def test_one_that_is_larger_than_a_file_should_be_has_one_of_its_own(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 4, 7)).astype(np.float32)
    np.savez(tmp_path / "f.npz", images=values)
    contract = Preprocessing((5, 4), (0.0,) * 7, (1.0,) * 7, input="array")
    arrays = packed(Samples(str(tmp_path / "f.npz"), ("0", "1")), contract, tmp_path / "a", 1)
    assert [array.shape for array in arrays] == [(1, 5, 4, 7)] * 2
    assert np.array_equal(np.concatenate(arrays), values)


def test_tiles_are_sent_one_after_another(samples: Samples, tmp_path: Path) -> None:
    """Of images of 9 x 9 pixels: two tiles along each side."""
    contract = replace(IMAGES, tiles=Tiles((6, 6), 0.0, "mean"))
    found = pack_images(PackImagesJob(samples, contract, tmp_path, 130))
    assert (found.tile_counts, [each.images for each in found.files]) == ((4,) * 5, [2] * 10)
    tiles = np.concatenate([prepare_views(open_samples(samples), name, contract) for name in samples.ids])
    assert np.array_equal(np.concatenate([np.load(each.path) for each in found.files]), tiles)


def test_broken_images_are_all_named(samples: Samples, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / "photos" / name).write_bytes(b"")
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match=r"2 broken images:\n  .*1\.png.*\n  .*2\.png"):
        pack_images(PackImagesJob(samples, IMAGES, tmp_path / "a", 60))
