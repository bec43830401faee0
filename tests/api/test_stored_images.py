"""Images in memory: every form that people have them in, written once, and what cannot be told is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset  # noqa: E402

from edgevit.api.stored_images import image_source  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)
LABELS = (2, 0, 1, 1, 0)


class Tensors(Dataset[Any]):
    """As torchvision's ``ToTensor`` gives them; a Dataset that does not end when it is iterated."""

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(PIXELS[place % 5]).permute(2, 0, 1).float() / 255, LABELS[place % 5]


def generated() -> Iterator[tuple[Image.Image, np.int64]]:
    for pixels, label in zip(PIXELS, LABELS, strict=True):
        yield Image.fromarray(pixels), np.int64(label)


@pytest.mark.parametrize(
    ("images", "labelled"),
    [
        (PIXELS, False),
        ((PIXELS, np.array(LABELS)), True),
        (list(zip(PIXELS, LABELS, strict=True)), True),
        ([Image.fromarray(pixels) for pixels in PIXELS], False),
        (generated(), True),
        (Tensors(), True),
        (DataLoader(Tensors(), batch_size=2), True),
        (DataLoader(Tensors(), batch_size=None), True),
    ],
    ids=["array", "arrays", "pairs", "pictures", "generator", "data set", "batches", "loader without batches"],
)
def test_every_form_gives_the_same_images(images: Any, labelled: bool, tmp_path: Path) -> None:
    found = open_images(image_source(images, "calibration", tmp_path))
    assert [np.asarray(found.image(name)).tolist() for name in found.ids] == PIXELS.tolist()
    assert found.labels == (LABELS if labelled else None)


def test_images_of_different_sizes_and_grey_ones(tmp_path: Path) -> None:
    images = [PIXELS[0], PIXELS[1][:3], PIXELS[2][..., 0]]
    found = open_images(image_source(images, "evaluation", tmp_path))
    assert [found.image(name).size for name in found.ids] == [(4, 6), (4, 3), (4, 6)]
    assert np.array_equal(np.asarray(found.image("1")), PIXELS[1][:3])
    assert np.array_equal(np.asarray(found.image("2")), np.repeat(PIXELS[2][..., :1], 3, axis=2))


def test_equal_images_are_written_once_and_others_apart(tmp_path: Path) -> None:
    first = image_source(PIXELS, "train", tmp_path)
    content = Path(first).read_bytes()
    assert image_source(list(PIXELS), "train", tmp_path) == first
    assert Path(first).read_bytes() == content
    assert image_source(PIXELS[:4], "train", tmp_path) != first
    assert image_source((PIXELS, list(LABELS)), "train", tmp_path) != first
    assert len(list(tmp_path.iterdir())) == 3


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    assert image_source("20%", "calibration", tmp_path) == "20%"
    assert image_source(tmp_path / "val", "evaluation", tmp_path) == str(tmp_path / "val")
    assert not list(tmp_path.iterdir())


class Augmented(Tensors):
    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.rand(3, 6, 4).mul(255).round() / 255, 0


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([], "there are no train images"),
        (5, "the train images are a int"),
        ([PIXELS[0], "cat.jpg"], "train image 1 is a str"),
        ([PIXELS[0].astype(np.float32)], "values from .* normalized already"),
        ([torch.randn(3, 6, 4)], "normalized already"),
        ([np.full((6, 4, 3), 0.5, np.float32)], "no multiples of 1/255"),
        ([PIXELS[0].astype(np.int64)], r"train image 0 is int64 \[6, 4, 3\]"),
        ([PIXELS[0][..., :2], PIXELS[1]], "train images have 2 and 3 channels"),
        ([(PIXELS[0], 1), PIXELS[1]], "only 1 of 2 train images have a label"),
        ([(PIXELS[0], "cat")], "the label of train image 0 is 'cat'"),
        ([(PIXELS[0], -1)], "the label of train image 0 is -1"),
        ((PIXELS, [1, 2]), "5 train images have 2 labels"),
        (Augmented(), "image 0 of the train data set is another one each time"),
    ],
)
def test_what_cannot_be_told_is_refused(images: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        image_source(images, "train", tmp_path)
    assert not list(tmp_path.iterdir())


def test_labels_may_be_numbers_or_several_classes(tmp_path: Path) -> None:
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    numbers = open_images(image_source((pixels, np.array([1.5, 2.0, -3.0])), "evaluation", tmp_path))
    assert numbers.other_labels == (1.5, 2.0, -3.0)
    several = open_images(image_source((pixels, np.array([[1, 0], [1, 1], [0, 0]])), "evaluation", tmp_path))
    assert several.other_labels == ((0,), (0, 1), ())
    with pytest.raises(UsageError, match="of several kinds"):
        image_source([(pixels[0], 1), (pixels[1], 0.5)], "evaluation", tmp_path)
