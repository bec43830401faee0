"""Where the time goes from the encoded image to the outputs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from edgevit.results.measurement import Interval
from edgevit.results.statistics import median_interval

StepName = Literal["decode", "resize", "model"]
STEPS: Final[tuple[StepName, ...]] = ("decode", "resize", "model")
"""Reading and decoding to upright 8-bit RGB; resizing, cropping and normalizing; the model, with the change to the layout and the
numbers of its input."""
_PARTS = 10
"""Of the runs, one after another: runs beside each other are alike, so that intervals are taken over parts and not over runs."""


@dataclass(frozen=True)
class StepTime:
    """One step."""

    name: StepName
    p50_ms: float
    """Median over the parts of each part's median, in ms."""
    interval_ms: Interval
    """Of ``p50_ms``, at 95 %."""
    share: float
    """Of the time of all runs, 0..1."""


@dataclass(frozen=True)
class PipelineTimes:
    """All steps, of images one after another."""

    steps: tuple[StepTime, ...]
    p50_ms: float
    """Of one image, all steps; as of a step."""
    interval_ms: Interval
    images_per_second: float
    """Median over the parts of images by time."""
    images_per_second_interval: Interval
    runs: int


def pipeline_times(runs_ms: Sequence[Sequence[float]]) -> PipelineTimes:
    """Summarizes the times of images.

    Args:
        runs_ms: For each image in the order in which they were taken, the ms of each of ``STEPS``; at least one.

    Raises:
        ValueError: there are none, or one has other steps.
    """
    if not runs_ms:
        raise ValueError("there are no runs")
    whole_ms = [sum(each) for each in runs_ms]
    rates = [1000 * len(part) / sum(part) for part in _parts(whole_ms)]
    columns = zip(STEPS, zip(*runs_ms, strict=True), strict=True)
    total_ms = sum(whole_ms)
    return PipelineTimes(
        steps=tuple(StepTime(name, *_p50(times), sum(times) / total_ms) for name, times in columns),
        p50_ms=_p50(whole_ms)[0],
        interval_ms=_p50(whole_ms)[1],
        images_per_second=median(rates),
        images_per_second_interval=median_interval(rates),
        runs=len(runs_ms),
    )


def _p50(times_ms: Sequence[float]) -> tuple[float, Interval]:
    medians = [median(part) for part in _parts(times_ms)]
    return median(medians), median_interval(medians)


def _parts(values: Sequence[float]) -> list[Sequence[float]]:
    """Cuts values into parts that differ by one value in length at most."""
    count = min(_PARTS, len(values))
    ends = [len(values) * place // count for place in range(count + 1)]
    return [values[start:end] for start, end in pairwise(ends)]
