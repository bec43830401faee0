"""Whether what a mix of changes costs is the sum of what each costs alone."""

from __future__ import annotations

import numpy as np

from edgevit.results.search import AdditivityRecord

LEAST_MIXES = 20
LEAST_SPEARMAN = 0.9
MOST_FACTOR = 1.25
"""Median of measured over sum, or of sum over measured."""


def check_additivity(sums: np.ndarray, measured: np.ndarray) -> AdditivityRecord:
    """Compares the divergences of mixes with the sums of their single changes.

    Args:
        sums: Sums of single divergences in nats, float [mixes], > 0.
        measured: Divergence of each mix in nats, float [mixes].
    """
    from scipy.stats import spearmanr

    usable = (sums > 0) & (measured > 0)
    sums, measured = sums[usable], measured[usable]
    if len(sums) < LEAST_MIXES:
        note = f"not checked: {len(sums)} mixes of layers tell something, {LEAST_MIXES} are needed; every point is measured"
        return AdditivityRecord(len(sums), None, None, holds=False, note=note)
    spearman = float(spearmanr(sums, measured).statistic) if np.ptp(sums) and np.ptp(measured) else 0.0
    factor = float(np.median(measured / sums))
    holds = spearman >= LEAST_SPEARMAN and 1 / MOST_FACTOR <= factor <= MOST_FACTOR
    note = (
        ""
        if holds
        else (
            f"divergences of single layers do not add up on this model (rank correlation {spearman:.2f}, factor {factor:.2f}):"
            " no point is left out by prediction, every one is measured while the budget lasts"
        )
    )
    return AdditivityRecord(len(sums), spearman, factor, holds, note)
