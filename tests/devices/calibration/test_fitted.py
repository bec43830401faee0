"""Coefficients of a runtime, and how far off they are on networks that they did not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgevit.devices.calibration.fitted import fit_times
from edgevit.devices.calibration.networks import FULL_SIZE
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


def test_networks_of_full_size_count_more_and_give_the_errors() -> None:
    """As on a processor on which each kernel of a large network takes a fifth longer."""
    found = times(0.0)
    full = list(FULL_SIZE)
    large = [
        replace(each, name=full[number % len(full)], relative=1.2 * each.relative)
        for number, each in enumerate(found[:20])
    ]
    fitted = fit_times([*large, *found[20:]])
    between = [fitted.costs["macs linear"] / 8e-9, fitted.costs["moved layout"] / 2e-8]
    assert all(1.1 < ratio < 1.2 for ratio in between), "nearer to the large ones than to the small ones"
    assert fitted.median_error < 0.09 and fitted.half_width < 0.15
