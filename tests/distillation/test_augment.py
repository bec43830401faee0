"""Random views: in range, of the same shape, and repeatable."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("torchvision")

from edgevit.distillation.augment import mix, random_affine, random_crops  # noqa: E402


def test_random_affine_keeps_range_input_and_seed() -> None:
    pixels = torch.rand(8, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    before = pixels.clone()
    moved = random_affine(pixels, torch.Generator().manual_seed(5))
    assert torch.equal(pixels, before)
    assert moved.shape == pixels.shape
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    assert torch.equal(moved, random_affine(pixels, torch.Generator().manual_seed(5)))
    assert not torch.equal(moved, random_affine(pixels, torch.Generator().manual_seed(6)))
    still = random_affine(pixels, torch.Generator(), max_degrees=0, max_shift=0, max_zoom=0)
    assert torch.allclose(still, pixels, atol=1e-5)


def test_random_affine_turns_without_stretching_a_wide_image() -> None:
    pixels = torch.zeros(64, 1, 40, 80)
    pixels[:, :, 19:21, 30:50] = 1  # a bar 20 long in the middle; turning must not change its ink
    turned = random_affine(pixels, torch.Generator().manual_seed(0), max_degrees=90, max_shift=0, max_zoom=0)
    assert torch.allclose(turned.sum(dim=(1, 2, 3)), pixels.sum(dim=(1, 2, 3)), rtol=0.05)


def test_random_crops_keep_shape_and_range_and_follow_the_random_state() -> None:
    pixels = torch.randint(0, 256, (4, 3, 12, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = random_crops(pixels), random_crops(pixels)
        torch.manual_seed(1)
        again = random_crops(pixels)
    assert first.shape == pixels.shape
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert 0.5 < first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_images_that_are_mixed_are_means_of_two() -> None:
    pixels = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert mix(pixels, torch.tensor([0.75, 0.5])).flatten().tolist() == [0.25, 0.5]
    assert torch.equal(mix(pixels, torch.ones(2)), pixels)
