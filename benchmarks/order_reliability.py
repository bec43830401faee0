"""How often the order of two predictions for one device is right, by the probability that was stated for it.

Each of a pair of measurements is predicted by a fit that did not see its graph (or its device), and the correlation of
their errors is from the devices of the other half. Takes ten minutes: the cost model is fitted 30 times.

    python -m benchmarks.order_reliability
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence

import numpy as np

from edgevit import units
from edgevit.cli.terminal import print_table
from edgevit.devices.cost_model import matrix
from edgevit.devices.cross_validation import LeftOut, cross_validate
from edgevit.devices.error_correlations import ErrorCorrelations, PricedGraph, Relation, error_correlations, pairs
from edgevit.devices.evidence import CARRIED, Row, read_rows
from edgevit.devices.fit import mapped
from edgevit.devices.graph_table import read_graphs
from edgevit.devices.interval_table import Regime
from edgevit.devices.like_graphs import places
from edgevit.devices.order import probability_below
from edgevit.devices.validation import RowPrediction

BOUNDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.01)
"""Of the stated probabilities that are counted together."""
REGIMES: tuple[tuple[Regime, LeftOut], ...] = (("measured", "graph"), ("not measured", "device"))
RELATIONS: tuple[Relation, ...] = ("kernels", "unit", "device")

Stated = tuple[float, bool]
"""The probability of the predicted order, and whether it was right."""


def main() -> None:
    """Prints a row for each regime, relation and range of stated probabilities."""
    graphs = read_graphs()
    rows = mapped(read_rows(CARRIED), graphs)
    x = matrix(rows, graphs)
    table = []
    for regime, left_out in REGIMES:
        predicted = cross_validate(rows, graphs, left_out)
        for relation in RELATIONS:
            found = stated(rows, predicted, x, regime, relation)
            for low, high in itertools.pairwise(BOUNDS):
                table.append((f"unit {regime}", relation, *reliability(found, low, high)))
    print_table(("regime", "in common", "pairs", "stated", "right"), table, numeric=(2, 3, 4))


def reliability(found: Sequence[Stated], low: float, high: float) -> tuple[str, str, str]:
    """Returns how many pairs have such a probability, its mean, and the share whose order was right, as text."""
    inside = [each for each in found if low <= each[0] < high]
    if not inside:
        return "0", "–", "–"
    stated_mean, right = (float(np.mean(values)) for values in zip(*inside, strict=True))
    return str(len(inside)), units.percent(stated_mean, 0), units.percent(right, 0)


def stated(
    rows: Sequence[Row], predicted: Sequence[RowPrediction], x: np.ndarray, regime: Regime, relation: Relation
) -> list[Stated]:
    """Returns the probability of the predicted order of each pair, and whether it was right.

    Args:
        rows: Measurements.
        predicted: Their predictions by fits that did not see them.
        x: Features of the rows for one image [rows, features].
        regime: Of the predictions.
        relation: What the two rows of a pair have in common.
    """
    halves = [hashlib.sha256(row.configuration.device.encode()).digest()[0] % 2 for row in rows]
    tables = [_of_half(rows, predicted, x, regime, [half != own for half in halves]) for own in (0, 1)]
    priced = [
        PricedGraph(row.configuration, regime, math.log(made.high / made.p50), place)
        for row, made, place in zip(rows, predicted, places(x), strict=True)
    ]
    found = []
    for first, second in zip(*pairs(rows, relation), strict=True):
        width = tables[halves[first]].half_width(priced[first], priced[second])
        difference = math.log(predicted[first].p50 / predicted[second].p50)
        right = (difference < 0) == (rows[first].latency_ms < rows[second].latency_ms)
        found.append((probability_below(-abs(difference), width), right))
    return found


def _of_half(
    rows: Sequence[Row], predicted: Sequence[RowPrediction], x: np.ndarray, regime: Regime, inside: Sequence[bool]
) -> ErrorCorrelations:
    at = np.flatnonzero(inside)
    return error_correlations([rows[i] for i in at], {regime: [predicted[i] for i in at]}, x[at])


if __name__ == "__main__":
    main()
