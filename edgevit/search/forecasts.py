"""What predictions were worth: each was made before its point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgevit.results.search import Forecasts, PointSettings
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Predicted

_LEAST = 4
"""Points from which on a rank correlation is told."""


def judge_forecasts(
    predicted: Mapping[PointSettings, Predicted], made: Mapping[PointSettings, Evaluation]
) -> Forecasts:
    """Compares predictions with what was measured later.

    Args:
        predicted: What was expected of points before they were made.
        made: What they turned out to be.
    """
    pairs = [(predicted[point], each.amounts) for point, each in made.items() if point in predicted and each.amounts]
    held, times, drops = list[bool](), list[tuple[float, float]](), list[tuple[float, float]]()
    for expected, amounts in pairs:
        held.append(expected.drop.low <= amounts.drop <= expected.drop.high)
        drops.append((expected.drop.value, amounts.drop))
        if amounts.ms is not None:
            held.append(expected.ms.low <= amounts.ms <= expected.ms.high)
            times.append((expected.ms.value, amounts.ms))
    return Forecasts(len(pairs), float(np.mean(held)) if held else None, _correlation(times), _correlation(drops))


def _correlation(pairs: list[tuple[float, float]]) -> float | None:
    from scipy.stats import spearmanr

    values = np.array(pairs)
    if len(pairs) < _LEAST or not np.ptp(values, axis=0).all():
        return None
    return float(spearmanr(values[:, 0], values[:, 1]).statistic)
