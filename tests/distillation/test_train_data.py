"""Views of training images: the same for the same seed, epoch and image, whoever asks; streamed within bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from edgevit.data.images import Samples, open_images  # noqa: E402
from edgevit.distillation import train_data  # noqa: E402
from edgevit.distillation.train_data import Batches, TrainingData, TrainingViews, check_augmentation, kind_of  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.spec import AugmentationSpec  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DIGITS = open_images("digits:train").samples
FEW = Samples(DIGITS.source, DIGITS.ids[:20])
ALL_CROPS = {"views": "crop", "rand_augment": "rand-m9-mstd0.5-inc1", "random_erasing": 0.5}


def views_of(samples: Samples = FEW, contract: Preprocessing = CONTRACT, seed: int = 0, **given: Any) -> TrainingViews:
    return TrainingViews(samples, contract, AugmentationSpec.model_validate(given), seed)


@pytest.mark.parametrize("given", [{"views": "affine"}, {"views": "crop"}, ALL_CROPS], ids=["affine", "crop", "all"])
def test_a_view_depends_on_seed_epoch_and_image_alone(given: dict[str, Any]) -> None:
    views = views_of(**given)
    places, batch = views.__getitems__([(0, 3), (0, 5), (1, 3)])
    assert places.tolist() == [3, 5, 3]
    assert (batch.shape, batch.dtype) == ((3, 3, 32, 32), np.uint8)
    torch.manual_seed(99)
    np.testing.assert_array_equal(views_of(**given).__getitems__([(1, 3), (0, 3)])[1], batch[[2, 0]])
    assert not np.array_equal(batch[0], batch[2])
    assert not np.array_equal(views_of(seed=1, **given).__getitems__([(0, 3)])[1][0], batch[0])


def test_without_augmentation_views_are_the_images() -> None:
    images = open_images(FEW.source)
    found = views_of(views="none").__getitems__([(0, 3), (7, 3)])[1]
    expected = np.asarray(images.image(FEW.ids[3])).transpose(2, 0, 1)
    np.testing.assert_array_equal(found, [expected, expected])


def test_images_decoded_once_and_each_time_give_the_same_views(monkeypatch: pytest.MonkeyPatch) -> None:
    assert views_of(views="affine").in_memory
    expected = views_of(views="affine").__getitems__([(0, 1), (2, 9)])[1]
    monkeypatch.setattr(train_data, "MOST_IN_MEMORY", 0)
    streamed = views_of(views="affine")
    assert not streamed.in_memory
    np.testing.assert_array_equal(streamed.__getitems__([(0, 1), (2, 9)])[1], expected)


def test_grey_views_are_those_of_pillow() -> None:
    grey = replace(CONTRACT, mean=(0.5,), std=(0.5,))
    given = {"views": "crop", "least_area": 1.0, "horizontal_flip": 0.0, "color_jitter": 0.0}
    colour = views_of(**given).__getitems__([(0, 2)])[1][0].transpose(1, 2, 0)
    found = views_of(contract=grey, **given).__getitems__([(0, 2)])[1][0, 0]
    assert np.abs(found.astype(int) - np.asarray(Image.fromarray(colour).convert("L"))).max() <= 1


def test_arrays_stay_floats(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 8, 8, 5)).astype(np.float32)
    np.savez(tmp_path / "a.npz", images=values, labels=np.arange(6) % 2)
    contract = Preprocessing((8, 8), (0.0,) * 5, (1.0,) * 5, input="array")
    samples = open_images(str(tmp_path / "a.npz")).samples
    found = views_of(samples, contract).__getitems__([(0, 1)])[1]
    assert (found.shape, found.dtype) == ((1, 5, 8, 8), np.float32)
    assert found.min() < 0


def test_auto_means_crops_of_photos_and_small_moves_of_all_else() -> None:
    auto = AugmentationSpec()
    assert kind_of(auto, replace(CONTRACT, input_size=(224, 224))) == "crop"
    assert kind_of(auto, CONTRACT) == "affine"
    array = replace(CONTRACT, mean=(0.0,) * 4, std=(1.0,) * 4, input_size=(224, 224), input="array")
    assert kind_of(auto, array) == "affine"
    assert kind_of(AugmentationSpec(views="none"), array) == "none"


def test_crops_of_what_is_no_image_and_an_unknown_rand_augment_are_refused() -> None:
    crop = AugmentationSpec(views="crop")
    check_augmentation(crop, CONTRACT)
    with pytest.raises(UsageError, match="for grey and RGB images"):
        check_augmentation(crop, replace(CONTRACT, mean=(0.0,) * 5, std=(1.0,) * 5))
    with pytest.raises(UsageError, match="'strong' is no RandAugment"):
        check_augmentation(AugmentationSpec(views="crop", rand_augment="strong"), CONTRACT)


def test_the_strongest_rand_augment_gives_views_of_all_images() -> None:
    """timm's posterizing to 0 bits is an error of Pillow."""
    views = views_of(views="crop", rand_augment="rand-m10-n4-mstd1.0-inc1")
    assert views.__getitems__([(epoch, place) for epoch in range(20) for place in range(20)])[1].shape[0] == 400


def test_every_epoch_has_all_images_once_in_an_order_of_its_own() -> None:
    batches = Batches(20, 8, 3, seed=0)
    steps = list(batches)
    assert (batches.steps_per_epoch, len(steps), len(batches)) == (3, 9, 9)
    assert [len(step) for step in steps] == [7, 7, 6] * 3 == [batches.images_of(step) for step in range(9)]
    epochs = [[view for step in steps[first : first + 3] for view in step] for first in (0, 3, 6)]
    for number, epoch in enumerate(epochs):
        assert Counter(epoch) == Counter((number, place) for place in range(20))
    assert len({tuple(place for _, place in epoch) for epoch in epochs}) == 3
    batches.first_step = 4
    assert list(batches) == steps[4:]


def test_processes_have_the_parts_of_each_batch() -> None:
    whole, parts = list(Batches(20, 8, 2, seed=3)), [list(Batches(20, 8, 2, 3, rank, 3)) for rank in range(3)]
    assert [[view for part in step for view in part] for step in zip(*parts, strict=True)] == whole


@pytest.mark.slow
def test_workers_give_the_views_of_this_process() -> None:
    data = TrainingData(views_of(**ALL_CROPS), Batches(20, 8, 2, seed=0), None, workers=2)
    here = TrainingData(views_of(**ALL_CROPS), Batches(20, 8, 2, seed=0), None, workers=0)
    found, expected = list(data.views_from(2)), list(here.views_from(2))
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.places, other.places)
        assert torch.equal(one.pixels, other.pixels)
