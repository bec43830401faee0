"""Random views: in range, of the same shape, and repeatable."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("torchvision")

from edgevit.distillation.augment import mix, moved, random_crops  # noqa: E402


def draws(count: int, seed: int) -> torch.Tensor:
    return torch.rand(4, count, generator=torch.Generator().manual_seed(seed))


def test_images_that_are_moved_keep_their_range_and_follow_what_is_drawn() -> None:
    pixels = torch.rand(8, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    before = pixels.clone()
    found = moved(pixels, draws(8, 5))
    assert torch.equal(pixels, before)
    assert found.shape == pixels.shape
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    assert torch.equal(found[2:5], moved(pixels[2:5], draws(8, 5)[:, 2:5]))  # each image by itself
    assert not torch.equal(found, moved(pixels, draws(8, 6)))
    assert torch.allclose(moved(pixels, torch.full((4, 8), 0.5)), pixels, atol=1e-5)


def test_turning_does_not_stretch_a_wide_image() -> None:
    pixels = torch.zeros(64, 1, 40, 80)
    pixels[:, :, 19:21, 30:50] = 1  # a bar 20 long in the middle; turning must not change its ink
    turned = moved(pixels, draws(64, 0), max_degrees=90, max_shift=0, max_zoom=0)
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
