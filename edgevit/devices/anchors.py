"""Measurements of known networks on a device set the scale of its predictions."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgevit.devices.evidence import Row
from edgevit.devices.interval_table import quantile
from edgevit.devices.validation import RowPrediction

_PRIOR = 0.5
"""Errors of zero that count beside those of the anchors: how sure the scale is without any."""
_FEWEST_OTHERS = 3
"""A session is anchored where it has this many graphs besides the anchors."""
COUNTS = (1, 2, 3, 5, 10)
"""Numbers of anchors whose effect on intervals is known."""


@dataclass(frozen=True)
class Anchor:
    """One measurement of a known network."""

    predicted_ms: float
    measured_ms: float

    @property
    def error(self) -> float:
        """Logarithm of measured over predicted."""
        return math.log(self.measured_ms / self.predicted_ms)


def shift(errors: Sequence[float]) -> float:
    """Returns what to add to ``log t`` of every network after these errors of anchors; 0 without any."""
    return sum(errors) / (len(errors) + _PRIOR)


def narrowing(factors: Mapping[int, float], count: int) -> float:
    """Returns the factor on the half-width of intervals with a number of anchors.

    Args:
        factors: By number of anchors.
        count: Number of anchors; between two that are known, the smaller one's factor holds.
    """
    known = [number for number in factors if number <= count]
    return factors[max(known)] if known else 1.0


def anchored(
    rows: Sequence[Row], predicted: Sequence[RowPrediction], graphs: Sequence[str], count: int
) -> list[tuple[Row, RowPrediction]]:
    """Predicts rows again with other graphs of their session as anchors.

    The anchors of a row are the ``count`` graphs that follow its own in an order by hash, so each row has others.

    Args:
        rows: Measurements.
        predicted: Their predictions, made without any row of the session.
        graphs: Name of the graph of each row, the same for what is left out together.
        count: Number of anchors.

    Returns:
        The rows of sessions that have three graphs besides the anchors, with their shifted predictions.
    """
    sessions: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        sessions[row.configuration.groups()["session"]].append(at)
    found: list[tuple[Row, RowPrediction]] = []
    for members in sessions.values():
        first = {graphs[at]: at for at in reversed(members)}
        order = sorted(first, key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(order) < count + _FEWEST_OTHERS:
            continue
        for at in members:
            start = order.index(graphs[at]) + 1
            chosen = [first[order[(start + step) % len(order)]] for step in range(count)]
            moved = math.exp(shift([math.log(rows[a].latency_ms / predicted[a].p50) for a in chosen]))
            made = predicted[at]
            found.append(
                (rows[at], RowPrediction(made.id, made.p50 * moved, made.low * moved, made.high * moved, made.basis))
            )
    return found


def narrowing_factors(
    rows: Sequence[Row], predicted: Sequence[RowPrediction], graphs: Sequence[str]
) -> dict[int, float]:
    """Returns by what factor anchors narrow intervals, by their number, where there are sessions to tell.

    Args:
        rows: Measurements.
        predicted: Their predictions by fits that did not see them.
        graphs: Name of the graph of each row.
    """
    factors: dict[int, float] = {}
    for count in COUNTS:
        after = anchored(rows, predicted, graphs, count)
        if after:
            before = dict(zip((row.id for row in rows), predicted, strict=True))
            wide = quantile([abs(math.log(row.latency_ms / before[row.id].p50)) for row, _ in after])
            narrow = quantile([abs(math.log(row.latency_ms / made.p50)) for row, made in after])
            factors[count] = min(1.0, narrow / wide) if wide else 1.0
    return factors
