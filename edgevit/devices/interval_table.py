"""How far predictions were off that did not see what they predicted, by kind of evidence and by unit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgevit.devices.evidence import Configuration

Regime = Literal["measured", "not measured"]
"""Whether a configuration's unit was measured with other networks, or never."""

COVERAGE = 0.8
"""Share of true latencies that an interval is to hold."""
_UNKNOWN = math.log(4)
"""Half-width where no errors are known."""
FEWEST = 60
"""A group with fewer errors takes at least the interval of the next wider one that has as many."""
FEWEST_OF_OWN = 20
"""A group with fewer errors has no interval of its own."""


@dataclass(frozen=True)
class IntervalTable:
    """Numbers of errors, and half-widths of intervals of ``log t``, by regime and group."""

    half_widths: Mapping[tuple[str, ...], tuple[int, float]]

    def half_width(self, regime: Regime, configuration: Configuration) -> float:
        """Returns the half-width of the interval of ``log t`` of a configuration.

        It is that of the narrowest group, or where this has few errors the larger of it and the next wider one's.
        """
        own = 0.0
        for key in interval_keys(configuration):
            count, width = self.half_widths.get((regime, *key), (0, 0.0))
            if count >= FEWEST or (count and key == ("all",)):
                return max(own, width)
            own = own or width
        return _UNKNOWN

    def document(self) -> list[list[Any]]:
        """Returns the table as plain values."""
        return [[list(key), count, round(width, 4)] for key, (count, width) in self.half_widths.items()]

    @staticmethod
    def from_document(document: Iterable[Sequence[Any]]) -> IntervalTable:
        """Reads what :meth:`document` returned."""
        return IntervalTable({tuple(key): (count, width) for key, count, width in document})


def interval_keys(configuration: Configuration) -> tuple[tuple[str, ...], ...]:
    """Returns the groups whose errors tell of a configuration's, narrowest first."""
    groups = configuration.groups()
    return (
        ("unit device", *groups["unit device"]),
        ("kernels", *groups["kernels"]),
        ("family", *groups["family"]),
        ("unit", *groups["unit"]),
        ("all",),
    )


def interval_table(regimes: Mapping[Regime, Sequence[float]], configurations: Sequence[Configuration]) -> IntervalTable:
    """Makes the table from errors of predictions that did not see what they predicted.

    Args:
        regimes: Errors of ``log t`` by regime, one for each configuration; NaN where there is none.
        configurations: Of the errors.

    Returns:
        For each regime, the half-widths of the groups with enough errors, and of all together.
    """
    found: dict[tuple[str, ...], tuple[int, float]] = {}
    keys = {configuration: interval_keys(configuration) for configuration in set(configurations)}
    for regime, errors in regimes.items():
        by_key: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for error, configuration in zip(errors, configurations, strict=True):
            if not math.isnan(error):
                for key in keys[configuration]:
                    by_key[key].append(abs(error))
        for key, sizes in by_key.items():
            if len(sizes) >= FEWEST_OF_OWN or key == ("all",):
                found[(regime, *key)] = (len(sizes), quantile(sizes))
    return IntervalTable(found)


def quantile(sizes: Sequence[float]) -> float:
    """Returns the size that a further one exceeds with a probability of 1 - ``COVERAGE`` (split conformal)."""
    rank = math.ceil(COVERAGE * (len(sizes) + 1))
    return sorted(sizes)[min(rank, len(sizes)) - 1]
