"""The preprocessing that a model's configuration states, and what replaces it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from torch import nn

from edgevit.errors import UsageError
from edgevit.model.own_preprocessing import preprocessing_of
from edgevit.results.artifact import Preprocessing
from edgevit.spec.spec import PreprocessingOverrides

RGB = {"input_size": (3, 8, 6), "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "crop_pct": 0.9}


def of(config: dict[str, Any], **given: Any) -> Preprocessing:
    module = nn.Identity()
    module.default_cfg = config  # type: ignore[assignment]
    return preprocessing_of(module, "m", PreprocessingOverrides(**given))


def test_it_is_the_configuration_but_for_what_is_given() -> None:
    assert of(RGB) == Preprocessing((8, 6), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), crop_pct=0.9)
    assert of(RGB, mean=(0.7,), crop_pct=1.0) == Preprocessing((8, 6), (0.7, 0.7, 0.7), (0.4, 0.5, 0.6))


def test_channels_are_those_of_the_configuration_or_given() -> None:
    assert of({**RGB, "input_size": (1, 8, 6), "mean": (0.1,), "std": (0.2,)}).channels == 1
    assert of(RGB, channels=4, mean=(0.5,), std=(0.1, 0.2, 0.3, 0.4)).std == (0.1, 0.2, 0.3, 0.4)
    with pytest.raises(UsageError, match="states no mean, std of 4 channels"):
        of(RGB, channels=4)
    with pytest.raises(UsageError, match="mean has 2 values, and the input 3 channels") as caught:
        of(RGB, mean=(0.1, 0.2))
    assert caught.value.hint and "model.preprocessing.channels" in caught.value.hint


def test_arrays_are_normalized_only_where_it_is_asked_for() -> None:
    assert of(RGB, input="array") == Preprocessing((8, 6), (0.0,) * 3, (1.0,) * 3, input="array")
    given = of(RGB, input="array", channels=2, mean=(100.0, 200.0), std=(3.0,))
    assert given == Preprocessing((8, 6), (100.0, 200.0), (3.0, 3.0), input="array")
