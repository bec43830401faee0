"""A preprocessing of Python as settings of a spec."""

from __future__ import annotations

import pytest

from edgevit.api.overrides import overrides_of_file, overrides_of_model
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

GIVEN = Preprocessing((8, 6), (0.5, 0.4), (0.3, 0.2), "bilinear", 0.9)
ARRAY = Preprocessing((8, 6), (50.0,), (20.0,), input="array")


def test_a_model_has_all_of_it() -> None:
    found = overrides_of_model(GIVEN)
    assert (found.input_size, found.channels, found.mean, found.std) == ((8, 6), 2, (0.5, 0.4), (0.3, 0.2))
    assert (found.interpolation, found.crop_pct, found.crop_mode, found.input) == ("bilinear", 0.9, "center", "image")


def test_a_file_has_its_own_size() -> None:
    found = overrides_of_file(GIVEN)
    assert (found.input_size, found.channels, found.mean) == (None, None, (0.5, 0.4))
    assert overrides_of_file(None).model_dump(exclude_none=True) == {}


def test_arrays_are_not_resized() -> None:
    found = overrides_of_model(ARRAY)
    assert (found.input, found.mean, found.interpolation, found.crop_pct) == ("array", (50.0,), None, None)


def test_what_is_not_possible_is_refused() -> None:
    with pytest.raises(UsageError, match="is not of pixels in 0..1"):
        overrides_of_model(Preprocessing((8, 6), (127.5,), (127.5,)))
    with pytest.raises(UsageError, match="preprocessing is not valid"):
        overrides_of_file(Preprocessing((8, 6), (), ()))
