"""How strongly the errors of two predictions for one device correlate: what the interval of their difference rests on.

Predictions for one device share what is wrong with its scale, and those of graphs that are alike what is wrong with
their kernels; both change no order. Of pairs of measurements that were predicted without having been seen, the
correlation is taken with which ``COVERAGE`` of the differences of their errors lie within the half-width

    h = sqrt(h1² + h2² - 2 r h1 h2)

of the difference, where h1 and h2 are the half-widths of the two predictions.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.evidence import Configuration, Row
from edgevit.devices.fitted import Array
from edgevit.devices.interval_table import COVERAGE, Regime
from edgevit.devices.like_graphs import places
from edgevit.devices.validation import RowPrediction

Relation = Literal["kernels", "unit", "device"]
"""What two predictions share: unit, runtime family and precision; the unit; or the device alone."""
Likeness = Literal["like", "akin", "unlike"]
"""Of two graphs: such as with and without a token plan; of one family; any other two."""

_FARTHEST: tuple[tuple[Likeness, float], ...] = (("like", 2.1), ("akin", 4.3), ("unlike", math.inf))
"""Distance of the places of two graphs, see :func:`edgevit.devices.like_graphs.places`."""
FEWEST = 60
"""A likeness with fewer pairs takes the correlation of the next less alike."""
_NEIGHBOURS = 40
"""Each measurement makes pairs with so many others, in an order by hash."""
_LARGEST = 0.999


@dataclass(frozen=True)
class PricedGraph:
    """A prediction, as far as it tells how its error goes with another's."""

    configuration: Configuration
    """That it is priced as."""
    regime: Regime
    half_width: float
    """Of the interval of ``log t``."""
    place: Array
    """Of its graph [axes]."""


@dataclass(frozen=True)
class ErrorCorrelations:
    """Numbers of pairs and correlations of the errors of ``log t``, by regime, relation and likeness."""

    values: Mapping[tuple[str, ...], tuple[int, float]]

    def half_width(self, first: PricedGraph, second: PricedGraph) -> float:
        """Returns the half-width of the interval of the difference of ``log t`` of two predictions for one device."""
        h1, h2, r = first.half_width, second.half_width, self.correlation(first, second)
        return math.sqrt(max(h1 * h1 + h2 * h2 - 2 * r * h1 * h2, 0.0))

    def correlation(self, first: PricedGraph, second: PricedGraph) -> float:
        """Returns the correlation of the errors of two predictions for one device; 0 where nothing is known."""
        measured = first.regime == second.regime == "measured"
        regime: Regime = "measured" if measured else "not measured"
        relation = relation_of(first.configuration, second.configuration)
        likeness = likeness_of(float(np.linalg.norm(first.place - second.place)))
        names = [name for name, _ in _FARTHEST]
        for name in names[names.index(likeness) :]:
            count, correlation = self.values.get((regime, relation, name), (0, 0.0))
            if count >= FEWEST:
                return correlation
        return 0.0

    def document(self) -> list[list[Any]]:
        """Returns the correlations as plain values."""
        return [[list(key), count, round(value, 4)] for key, (count, value) in self.values.items()]

    @staticmethod
    def from_document(document: Iterable[Sequence[Any]]) -> ErrorCorrelations:
        """Reads what :meth:`document` returned."""
        return ErrorCorrelations({tuple(key): (count, value) for key, count, value in document})


def relation_of(first: Configuration, second: Configuration) -> Relation:
    """Returns what two configurations of one device share."""
    mine, other = first.groups(), second.groups()
    if mine["kernels"] == other["kernels"]:
        return "kernels"
    return "unit" if mine["unit"] == other["unit"] else "device"


def likeness_of(distance: float) -> Likeness:
    """Returns how alike two graphs are whose places are so far apart."""
    return next(name for name, farthest in _FARTHEST if distance < farthest or farthest == math.inf)


def error_correlations(
    rows: Sequence[Row], regimes: Mapping[Regime, Sequence[RowPrediction]], x: Array
) -> ErrorCorrelations:
    """Takes correlations from measurements and predictions that did not see them.

    Args:
        rows: Measurements.
        regimes: Their predictions by regime, one for each row.
        x: Features of the rows for one image [rows, features].
    """
    at = places(x)
    found: dict[tuple[str, ...], tuple[int, float]] = {}
    for relation in _GROUPS:
        first, second = pairs(rows, relation)
        if not len(first):
            continue
        apart = np.linalg.norm(at[first] - at[second], axis=1)
        kinds = np.array([likeness_of(distance) for distance in apart])
        for regime, predicted in regimes.items():
            errors = np.array([math.log(row.latency_ms / made.p50) for row, made in zip(rows, predicted, strict=True)])
            widths = np.array([math.log(made.high / made.p50) for made in predicted])
            differences = np.abs(errors[first] - errors[second])
            for name, _ in _FARTHEST:
                of_kind = kinds == name
                if of_kind.any():
                    value = _correlation(differences[of_kind], widths[first[of_kind]], widths[second[of_kind]])
                    found[(regime, relation, name)] = (int(of_kind.sum()), value)
    return ErrorCorrelations(found)


_Groups = tuple[Callable[[Row], tuple[str, ...]], Callable[[Row], object]]
_GROUPS: Mapping[Relation, _Groups] = {
    "kernels": (lambda row: row.configuration.groups()["session"], lambda row: row.graph),
    "unit": (
        lambda row: row.configuration.groups()["unit device"],
        lambda row: row.configuration.groups()["kernels"],
    ),
    "device": (lambda row: (row.configuration.device,), lambda row: row.configuration.unit),
}
"""For each relation: what the rows of a pair share, and in what they differ."""


def pairs(rows: Sequence[Row], relation: Relation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the indices of the two rows of each pair of measurements of one device [pairs], [pairs].

    Args:
        rows: Measurements.
        relation: What the two rows of a pair have in common; those of "kernels" were measured together too.
    """
    shared, differing = _GROUPS[relation]
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        members[shared(row)].append(index)
    differs = [differing(row) for row in rows]
    found: list[tuple[int, int]] = []
    for group in members.values():
        order = sorted(group, key=lambda index: hashlib.sha256(rows[index].id.encode()).digest())
        for start, index in enumerate(order):
            near = order[start + 1 : start + 1 + _NEIGHBOURS]
            found.extend((index, other) for other in near if differs[index] != differs[other])
    first, second = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return first, second


def _correlation(differences: Array, first: Array, second: Array) -> float:
    """Returns the largest correlation with which ``COVERAGE`` of the differences lie within their half-widths."""

    def covered(r: float) -> float:
        within = differences**2 <= first**2 + second**2 - 2 * r * first * second
        return float(within.mean())

    low, high = -1.0, _LARGEST
    if covered(high) >= COVERAGE:
        return high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if covered(middle) >= COVERAGE else (low, middle)
    return low
