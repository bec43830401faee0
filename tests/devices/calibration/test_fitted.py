"""Coefficients of a runtime, and how far off they are on networks that they did not see."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.calibration.fitted import fit_times
from edgevit.devices.calibration.timing import NetworkTime


def times(noise: float) -> list[NetworkTime]:
    random = np.random.default_rng(0)
    found = []
    for number in range(40):
        macs, moved = 10 ** random.uniform(6, 8), 10 ** random.uniform(5, 7)
        relative = (8e-9 * macs + 2e-8 * moved) * np.exp(noise * random.standard_normal())
        found.append(NetworkTime(f"plain-{number}", "float", relative, {"macs linear": macs, "moved layout": moved}))
    return found


def test_errors_are_those_of_networks_that_the_fit_did_not_see() -> None:
    exact = fit_times(times(0.0))
    assert exact.median_error < 0.01
    assert exact.costs["macs linear"] == pytest.approx(8e-9, rel=0.05)
    noisy = fit_times(times(0.1))
    assert noisy.median_error == pytest.approx(0.067, abs=0.025)
    assert noisy.half_width == pytest.approx(0.128, abs=0.04)
