"""What predictions of the carried table are worth, as of the last fit, and whether they have become worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgevit.devices.cross_validation import LeftOut
from edgevit.devices.validation import AnchoredScore, Score

NAMED_UNITS = (
    ("Raspberry Pi 4B", "cpu"),
    ("Jetson Nano", "gpu"),
    ("Jetson Orin Nano", "gpu"),
    ("Samsung Galaxy S24", "npu"),
    ("Raspberry Pi 5", "cpu"),
)
"""Units whose predictions are held to figures of their own."""
CHECKED_ANCHORS = (3, 10)
_TOLERANCE = 0.1
"""Share of its value by which a figure may be worse."""


@dataclass(frozen=True)
class Worth:
    """Scores of a validation of the carried table."""

    graph: tuple[Score, ...]
    """With the graph of the row left out: all rows, then each device and unit."""
    graph_on_device: Score
    """Of all rows, with their graph on their device left out."""
    device: Score
    """Of all rows, with their device left out."""
    anchored: tuple[AnchoredScore, ...]
    """Of rows whose device was left out, with anchors."""


@dataclass(frozen=True)
class Figure:
    """One number that predictions are held to."""

    name: str
    value: float
    higher_is_better: bool = False


@dataclass(frozen=True)
class Committed:
    """The file ``validation.json``."""

    full: Worth
    quick: tuple[Figure, ...]
    """Of a validation with few folds, which takes seconds; they are somewhat worse."""


def worth(scores: Mapping[LeftOut, Sequence[Score]], anchored: Sequence[AnchoredScore]) -> Worth:
    """Returns the scores of validations, of which the first of each is that of all rows."""
    return Worth(tuple(scores["graph"]), scores["graph on device"][0], scores["device"][0], tuple(anchored))


def figures(found: Worth) -> tuple[Figure, ...]:
    """Returns the numbers that predictions are held to."""
    named = [score for score in found.graph if score is found.graph[0] or (score.device, score.unit) in NAMED_UNITS]
    made = [
        figure
        for score in named
        for figure in (
            Figure(f"{score.device} {score.unit}, graph left out: median error", score.median_error),
            Figure(f"{score.device} {score.unit}, graph left out: within 20 %", score.within_20, True),
        )
    ]
    made.append(Figure("graph on the device left out: median error", found.graph_on_device.median_error))
    if found.device.tau is not None:
        made.append(Figure("device left out: Kendall's tau", found.device.tau, True))
    made += [
        Figure(f"device left out, {score.anchors} anchors: median error", score.median_error)
        for score in found.anchored
        if score.anchors in CHECKED_ANCHORS
    ]
    return tuple(made)


def worse(before: Sequence[Figure], now: Sequence[Figure]) -> list[str]:
    """Returns the figures that are worse than before by more than a tenth of their value, or that are gone."""
    values = {figure.name: figure.value for figure in now}
    faults: list[str] = []
    for figure in before:
        value = values.get(figure.name)
        limit = figure.value * (1 - _TOLERANCE if figure.higher_is_better else 1 + _TOLERANCE)
        if value is None:
            faults.append(f"{figure.name}: gone")
        elif value < limit if figure.higher_is_better else value > limit:
            faults.append(f"{figure.name}: {value:.3f}, was {figure.value:.3f}")
    return faults
