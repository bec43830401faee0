"""Whether there are enough images for a ViT from scratch."""

from __future__ import annotations

import itertools

import pytest

from edgevit.distillation.data_size import BEHIND_BELOW, HOPELESS_BELOW, MEASURED, PUBLISHED, data_size_warning
from edgevit.errors import UsageError


@pytest.mark.parametrize(
    ("images", "measured_on"),
    [
        (1, "edgevit's 1,097 digits"),
        (999, "edgevit's 1,097 digits"),
        (10_000, "10,000 images of CIFAR-10"),
        (HOPELESS_BELOW - 1, "10,000 images of CIFAR-10"),
    ],
)
def test_a_vit_from_scratch_is_hopeless_with_few_images(images: int, measured_on: str) -> None:
    warning = data_size_warning(images, 10, "vit", pretrained=False)
    assert warning is not None
    assert f"hopeless with {images:,} images" in warning
    assert measured_on in warning, "our own measurement stands beside the published one"
    assert "pretrained weights" in warning
    assert "hybrid with a convolutional stem" in warning
    assert "a CNN" in warning


@pytest.mark.parametrize("images", [HOPELESS_BELOW, 100_000, BEHIND_BELOW - 1])
def test_it_stays_behind_up_to_imagenet(images: int) -> None:
    warning = data_size_warning(images, 100, "vit", pretrained=False)
    assert warning is not None
    assert "stays behind" in warning
    assert "hopeless" not in warning


@pytest.mark.parametrize(
    ("images", "architecture", "pretrained"),
    [(100, "vit", True), (100, "cnn", False), (100, "hybrid", False), (BEHIND_BELOW, "vit", False)],
)
def test_nothing_is_said_where_there_is_nothing_to_say(images: int, architecture: str, pretrained: bool) -> None:
    assert data_size_warning(images, 10, architecture, pretrained) is None  # type: ignore[arg-type]


def test_the_published_figure_is_that_of_the_nearest_set_that_is_no_smaller() -> None:
    assert "34.5 % on Flowers-102" in (data_size_warning(1_000, 10, "vit", pretrained=False) or "")
    assert "59.5 % on CIFAR-10" in (data_size_warning(20_000, 10, "vit", pretrained=False) or "")
    assert "77.9 %" in (data_size_warning(500_000, 10, "vit", pretrained=False) or "")


def test_images_a_class_are_told() -> None:
    assert "2,000 images (20 a class)" in (data_size_warning(2_000, 100, "vit", pretrained=False) or "")


@pytest.mark.parametrize("findings", [PUBLISHED, MEASURED])
def test_every_finding_has_its_source_and_they_are_in_order(findings: tuple) -> None:  # type: ignore[type-arg]
    assert all(finding.source and finding.text for finding in findings)
    assert all(one.images <= other.images for one, other in itertools.pairwise(findings))


@pytest.mark.parametrize(("images", "classes"), [(0, 10), (-5, 10), (10, 0)])
def test_numbers_are_positive(images: int, classes: int) -> None:
    with pytest.raises(UsageError):
        data_size_warning(images, classes, "vit", pretrained=False)
