"""Moments of what layers read."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.pruning.gram import input_moments  # noqa: E402

# isort: split
from tests.pruning.networks import pixels, small_residuals, small_vit  # noqa: E402


def read_by(module: torch.nn.Module, name: str, images: torch.Tensor) -> np.ndarray:
    """All rows [places, inputs] that a layer reads."""
    seen: list[torch.Tensor] = []
    handle = module.get_submodule(name).register_forward_pre_hook(lambda _, read: seen.append(read[0]))
    with torch.inference_mode():
        module(images)
    handle.remove()
    rows = seen[0].movedim(1, -1) if seen[0].dim() == 4 else seen[0]
    return rows.reshape(-1, rows.shape[-1]).double().numpy()


@pytest.mark.parametrize(("module", "name"), [(small_vit(), "blocks.1.mlp.fc2"), (small_residuals(), "2.conv_pwl")])
def test_they_are_those_of_all_places_of_all_images(module: torch.nn.Module, name: str) -> None:
    images, done = pixels(6), list[int]()
    found = input_moments(module, [name], images.split(2), done.append)[name]
    rows = read_by(module, name, images)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), rtol=1e-4, atol=1e-6)
    assert done == [1, 2, 3]
    assert not module.get_submodule(name)._forward_pre_hooks


def test_no_images_are_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        input_moments(small_vit(), ["head"], [])
