"""From the times of networks to the coefficients of a device file, with how far off they are on what they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.devices.calibration.fit import Costs, fit_costs
from edgevit.devices.calibration.networks import FULL_SIZE
from edgevit.devices.calibration.timing import NetworkTime

FEWEST = 20
"""Networks that coefficients can be fitted to."""
FULL_SIZE_COUNT = 8.0
"""As much as so many networks one of full size counts: on a processor whose caches the small ones fit, kernels of the former
take longer, and what is asked for are predictions of those."""
_COVERED = 0.8
_LEAST_HALF_WIDTH = 0.02
"""Times of one file differ by as much from one process to the next."""


@dataclass(frozen=True)
class FittedCosts:
    """Coefficients of a runtime."""

    costs: dict[str, float]
    """Of each feature, in times of the reference network."""
    median_error: float
    """Of the times of networks of full size, each predicted from all others: relative, median."""
    half_width: float
    """Of the interval that 80 % of those are in, of the logarithm of a time."""


def fit_times(times: Sequence[NetworkTime]) -> FittedCosts:
    """Fits coefficients, and predicts each network of full size from the others; each network where none is of full size.

    Args:
        times: At least ``FEWEST``.
    """
    fitted = _fit(times)
    names = dict.fromkeys(time.name for time in times)
    errors = []
    for name in [name for name in names if name in FULL_SIZE] or names:
        without = _fit([time for time in times if time.name != name])
        errors += [
            without.predict(time.features)[0] - float(np.log(time.relative)) for time in times if time.name == name
        ]
    off = np.abs(errors)
    # the quantile of n errors that covers the next one with the probability asked for
    rank = min(len(off), int(np.ceil(_COVERED * (len(off) + 1))))
    half_width = max(_LEAST_HALF_WIDTH, float(np.sort(off)[rank - 1]))
    costs = dict(zip(fitted.names, (float(f"{cost:.4g}") for cost in fitted.costs), strict=True))
    return FittedCosts(costs, float(np.median(np.expm1(off))), half_width)


def _fit(times: Sequence[NetworkTime]) -> Costs:
    return fit_costs(
        [time.features for time in times],
        [time.relative for time in times],
        [FULL_SIZE_COUNT if time.name in FULL_SIZE else 1.0 for time in times],
    )
