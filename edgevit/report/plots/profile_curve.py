"""The picture of several predictions: latency, memory and MACs, by input size where models have several."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.measurement import Prediction
from edgevit.results.profiled import Profiled
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colour-blind-safe palette; the marker carries the same information.
_LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"))

_Point = tuple[float, float, float, float]
"""Place, value, and how far the interval reaches below and above."""


@draws_plain_text
def draw_profiles(profiles: Sequence[Profiled], path: Path) -> None:
    """Draws three panels as PNG, atomically: predicted latency and memory with their intervals, and MACs.

    A line joins the sizes of one model on one device; what does not run there is left out.

    Args:
        profiles: At least one.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 9), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    upper, middle, lower = figure.subplots(3, 1, sharex=True)
    places = places_of(profiles)
    targets = list(dict.fromkeys(each.target for each in profiles))
    devices = list(dict.fromkeys(p.device for each in profiles for p in each.predictions))
    for number, (target, device) in enumerate((target, device) for target in targets for device in devices):
        own = [(place, p) for each, place, p in _of(profiles, places, device) if each.target == target]
        label = ", ".join(([target] if len(targets) > 1 else []) + ([device] if len(devices) > 1 else [])) or target
        _draw(upper, [_latency(place, p) for place, p in own if p.latency_ms], number, label)
        _draw(middle, [_memory(place, p) for place, p in own if p.supported], number, label)
    for number, target in enumerate(targets):
        macs = [
            (place, each.macs / 1e9, 0.0, 0.0)
            for each, place in zip(profiles, places, strict=True)
            if each.target == target and each.macs
        ]
        _draw(lower, macs, number * len(devices), target)  # as on the first device above
    for axes, name in ((upper, "predicted latency, ms"), (middle, "predicted memory, MB"), (lower, "MACs, billions")):
        axes.set_ylim(bottom=0)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if has_sizes(profiles):
        lower.set_xlabel("side of the square with as many pixels as the input")
    else:
        lower.set_xticks(places, [each.title for each in profiles])
    title = "Predicted, not measured; bars are intervals" + (f"; {devices[0]}" if len(devices) == 1 else "")
    upper.set_title(title, loc="left", fontsize=10)
    for axes in (upper, lower):
        axes.legend(fontsize=8, frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def has_sizes(profiles: Sequence[Profiled]) -> bool:
    """Returns whether the horizontal axis is the input size: of each target it is known, and one target has several."""
    known = all(each.input_size for each in profiles)
    return known and len({each.target for each in profiles}) < len(profiles)


def places_of(profiles: Sequence[Profiled]) -> list[float]:
    """Returns where each is on the horizontal axis: by the square root of its pixels, or one beside the other."""
    if has_sizes(profiles):
        return [math.sqrt(math.prod(each.input_size or ())) for each in profiles]
    return [float(number) for number in range(len(profiles))]


def _of(profiles: Sequence[Profiled], places: Sequence[float], device: str) -> list[tuple[Profiled, float, Prediction]]:
    return [
        (each, place, prediction)
        for each, place in zip(profiles, places, strict=True)
        for prediction in each.predictions
        if prediction.device == device
    ]


def _latency(place: float, prediction: Prediction) -> _Point:
    latency = prediction.latency_ms
    assert latency is not None, "left out otherwise"
    return place, latency.p50, latency.p50 - latency.low, latency.high - latency.p50


def _memory(place: float, prediction: Prediction) -> _Point:
    least = prediction.peak_tensor_bytes / 1e6
    return place, least, 0.0, prediction.memory.total_bytes.high / 1e6 - least if prediction.memory else 0.0


def _draw(axes: Axes, points: Sequence[_Point], number: int, label: str) -> None:
    if not points:
        return
    colour, marker = _LOOKS[number % len(_LOOKS)]
    x, y, below, above = zip(*sorted(points), strict=True)
    axes.errorbar(x, y, yerr=(below, above), color=colour, marker=marker, ms=5, capsize=3, label=label)
