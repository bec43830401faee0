"""The signal-to-noise ratio of outputs."""

from __future__ import annotations

import math


def snr_db(signal_power: float, noise_power: float) -> float | None:
    """Returns 10 log10 of signal power over noise power; None if there is no noise.

    Args:
        signal_power: Sum of the squared values of the reference.
        noise_power: Sum of the squared differences from it.
    """
    return None if noise_power == 0 else 10 * math.log10(max(signal_power, 1e-300) / noise_power)
