"""The table of ``make bench-engine``: what was required, what was measured, and how costs grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.process_tree import Cost
from edgevit import units
from edgevit.cli.terminal import print_line
from edgevit.measure.host import host_fingerprint

TITLES = (
    "run",
    "ratio",
    "required",
    "wall",
    "required",
    "CPU",
    "peak of all",
    "largest process",
    "own of one",
    "reached",
    "note",
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    cost: Cost | None
    """None where it could not be run; the note says why."""
    note: str = ""
    required_s: float | None = None
    """For orientation, where there is a ratio."""
    beside: Cost | None = None
    """What it is compared with."""
    required_ratio: float | None = None
    """Of the wall time of what it is compared with."""
    over_s: float | None = None
    """Seconds besides the work itself."""
    required_over_s: float | None = None
    exponent: float | None = None
    """By which the wall time grows."""

    @property
    def ratio(self) -> float | None:
        """Wall time as a share of that of what it is compared with."""
        return self.cost.wall_s / self.beside.wall_s if self.cost and self.beside else None

    @property
    def reached(self) -> bool | None:
        """Whether the requirement that binds is kept; None where there is none, or nothing was measured."""
        if self.cost is None:
            return None
        if self.cost.exit_code:
            return False
        for measured, required in (
            (self.ratio, self.required_ratio),
            (self.over_s, self.required_over_s),
            (self.exponent, 1.0),
            (self.cost.wall_s, self.required_s),
        ):
            if measured is not None and required is not None:
                return measured <= required
        return None


def growth(what: str, counts: Sequence[int], costs: Sequence[Cost]) -> list[Row]:
    """Returns a row for each count, and one with the exponent by which the wall time grows.

    Args:
        what: What is counted.
        counts: Ascending.
        costs: One for each count.
    """
    rows = [Row(f"{count} {what}", cost) for count, cost in zip(counts, costs, strict=True)]
    walls = [cost.wall_s for cost in costs]
    last = exponent(counts[-2:], walls[-2:])
    note = f"wall time grows by {what} to the power of {exponent(counts, walls):.2f}; at the end {last:.2f}"
    return [*rows, Row(f"growth with {what}", costs[-1], note, exponent=exponent(counts, walls))]


def exponent(counts: Sequence[float], values: Sequence[float]) -> float:
    """Returns the slope of the line that fits the logarithms of ``values`` to those of ``counts`` by least squares.

    Args:
        counts: At least two, not all the same, above 0.
        values: One for each count, above 0.
    """
    xs, ys = [math.log(count) for count in counts], [math.log(value) for value in values]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    pairs = list(zip(xs, ys, strict=True))
    return sum((x - middle_x) * (y - middle_y) for x, y in pairs) / sum((x - middle_x) ** 2 for x in xs)


def print_markdown(rows: Sequence[Row]) -> None:
    """Prints the machine and the table, as Markdown."""
    host = host_fingerprint(1)
    print_line(
        f"{host.cpu}, {host.cores} cores, {', '.join(host.isa)}, {units.size(host.memory_bytes)} of memory,"
        f" {host.os}, Python {host.python}"
    )
    print_line()
    for cells in (TITLES, ("---",) * len(TITLES), *map(_cells, rows)):
        print_line(f"| {' | '.join(cells)} |")


def _cells(row: Row) -> tuple[str, ...]:
    cost, reached = row.cost, row.reached
    if cost is None:
        return (row.what, *("–",) * 9, row.note)
    return (
        row.what,
        "–" if row.ratio is None else f"{row.ratio:.2f}",
        "–" if row.required_ratio is None else f"≤ {row.required_ratio:g}",
        units.seconds(cost.wall_s),
        _required(row),
        units.seconds(cost.cpu_s),
        units.size(cost.tree_peak_bytes),
        units.size(cost.largest_peak_bytes),
        units.size(cost.own_peak_bytes),
        "–" if reached is None else "yes" if reached else "no",
        row.note,
    )


def _required(row: Row) -> str:
    if row.required_over_s is not None:
        return f"≤ {row.required_over_s:g} s over"
    if row.exponent is not None:
        return "linear"
    return "–" if row.required_s is None else f"≤ {row.required_s:g} s"
