"""Random images for models of any input."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.data.images import open_images
from edgevit.data.noise import noise_source
from edgevit.data.preprocess import preprocess
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing


@pytest.mark.parametrize(
    ("contract", "source"),
    [
        (Preprocessing((4, 5), (0.5,) * 3, (0.5,) * 3), "noise:2"),
        (Preprocessing((4, 5), (0.5,), (0.5,)), "noise:2"),
        (Preprocessing((4, 5), (0.5,) * 4, (0.5,) * 4), "noise:2:256x256x4"),
        (Preprocessing((4, 5), (0.0,) * 2, (1.0,) * 2, input="array"), "noise:2:4x5x2:float32"),
    ],
)
def test_a_model_can_be_fed_with_the_noise_that_is_made_for_it(contract: Preprocessing, source: str) -> None:
    assert noise_source(2, contract) == source
    images = open_images(source)
    assert (images.ids, images.labels) == (("0", "1"), None)
    first, second = (preprocess(images.picture(name, contract), contract) for name in images.ids)
    assert first.shape == (contract.channels, 4, 5) and first.dtype == np.float32
    assert (first != second).any()
    np.testing.assert_array_equal(first, preprocess(open_images(source).picture("0", contract), contract))


@pytest.mark.parametrize(
    "source", ["noise:0", "noise:x", "noise:2:4x5", "noise:2:4x0x3", "noise:2:4x5x3:int8", "noise:100001"]
)
def test_another_source_is_refused(source: str) -> None:
    with pytest.raises(UsageError, match="is not a number of images"):
        open_images(source)
