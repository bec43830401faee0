"""What a metric says of a model, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.results.measurement import Interval

Unit = Literal["%", "dB", ""]
"""Of a metric: "%" for a fraction, which people read in percent and whose differences are in percentage points; "" for a metric
in units of its own."""


@dataclass(frozen=True)
class MetricScore:
    """A model's value by the metric that candidates are judged by; higher is better."""

    name: str
    """Such as "top1", "agreement", or "package.module:function" of a user's own."""
    unit: Unit
    value: float
    """A fraction where the unit is "%"."""
    drop: float | None
    """The original float model's value minus this one's on the same images, in percentage points where the unit is "%", else in
    the metric's unit; negative for a gain. None where it is not known."""
    interval: Interval | None = None
    """Of ``value``, at 95 %; None where there is none."""
    drop_interval: Interval | None = None
    """Of ``drop``, at 95 %, from the same images for both; None where there is none."""

    @property
    def title(self) -> str:
        """What people read: "top-1", and of a user's own metric the name of the function."""
        return "top-1" if self.name == "top1" else self.name.rpartition(":")[2].rpartition(".")[2]


def points_per_unit(unit: Unit) -> float:
    """Returns how many of what a drop is counted in one unit of a value is: 100 percentage points for a fraction, else 1."""
    return 100.0 if unit == "%" else 1.0
