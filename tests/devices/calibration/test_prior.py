"""What kernels cost where nothing is known."""

from __future__ import annotations

import pytest

from edgevit.devices.calibration.prior import prior_cost


def test_int8_multiplies_cheaper_and_moves_for_the_same() -> None:
    assert prior_cost("int8 macs linear") == prior_cost("dynamic macs linear") < prior_cost("macs linear")
    assert prior_cost("fast macs linear") == prior_cost("macs linear")
    assert prior_cost("int8 moved layout") == prior_cost("moved layout")
    assert prior_cost("macs depthwise 3 strided") == prior_cost("macs depthwise 3")


def test_a_feature_that_there_is_not_has_no_cost() -> None:
    with pytest.raises(KeyError):
        prior_cost("nonsense")
