"""A small vision transformer whose tokens are searched, and images for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgevit.data.images import open_images
from edgevit.data.preprocess import preprocess
from edgevit.results.artifact import Preprocessing
from tests.models import small_vit

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def vit() -> Any:
    """64 patches and a class token, 6 blocks."""
    return small_vit(depth=6).requires_grad_(False)


@pytest.fixture(scope="session")
def pixels() -> Any:
    """24 preprocessed images of noise, float32 [24, 3, 32, 32]."""
    import torch

    images = open_images("noise:24")
    return torch.from_numpy(np.stack([preprocess(images.image(name), PREPROCESSING) for name in images.ids]))
