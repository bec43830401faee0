"""The roofline of an artifact: the rate that each layer reaches, by its operations for each byte, below the unit's roofs."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.errors import UsageError
from edgevit.report.plots.op_families import look_of, looks_of
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.layer_times import LayerTime, LayerTimes, Roofs
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "#555555"
_LINES = ("-", "--", "-.", ":")
_LEAST_AREA, _MOST_AREA = 16.0, 420.0
"""Of a marker, in square points; the area above the least one grows with the share of the time."""
_NARROW = ("int8",)
"""Number formats whose markers are filled."""


@dataclass(frozen=True)
class _Point:
    layer: LayerTime
    intensity: float
    """Operations for each byte."""
    rate: float
    """Operations per second."""
    share: float


def can_draw_roofline(found: LayerTimes) -> bool:
    """Returns whether any layer has operations, and bytes that it moves."""
    return bool(_points(found))


@draws_plain_text
def draw_roofline(name: str, found: LayerTimes, path: Path) -> None:
    """Draws the rate of each layer with operations against its intensity as PNG, atomically, with the roofs of the unit.

    Both axes are logarithmic. A marker's area is the layer's share of the time; it is filled where the layer computes in int8.
    Layers without products have no rate, and are told of below the picture.

    Args:
        name: Of the artifact.
        found: Its layers.
        path: File to write.

    Raises:
        UsageError: no layer has a rate and an intensity; see :func:`can_draw_roofline`.
    """
    points = _points(found)
    if not points:
        raise UsageError(
            "nothing to draw: no layer has operations whose bytes are known", "take a network with products"
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    where = "this host" if found.device == "host" else found.device
    axes.set_title(f"{name} on {where} ({found.unit}): roofline, {found.source} times", loc="left", fontsize=10)
    _set_axes(axes, found, points)
    if found.roofs:
        _draw_roofs(axes, found.roofs)
        _label_slope(axes, found.roofs, points)
    _draw_points(axes, points)
    _draw_legend(figure, points)
    figure.supxlabel("\n".join(_remarks(found, points)), fontsize=8, color=_GREY, x=0.01, ha="left")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _points(found: LayerTimes) -> list[_Point]:
    return [
        _Point(layer, layer.intensity, layer.operations_per_second, found.share(layer.ms))
        for layer in found.layers
        if layer.intensity and layer.operations_per_second
    ]


def _set_axes(axes: Axes, found: LayerTimes, points: list[_Point]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    rates = [point.rate / 1e9 for point in points]
    xs = [point.intensity for point in points]
    if found.roofs:
        rates += [peak.operations_per_second / 1e9 for peak in found.roofs.peaks]
        bandwidth = found.roofs.bytes_per_second
        xs += [peak.operations_per_second / bandwidth for peak in found.roofs.peaks] if bandwidth else []
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(xs) / 2, max(xs) * 3)
    axes.set_ylim(min(rates) / 2, max(rates) * 2.2)
    for axis in (axes.xaxis, axes.yaxis):
        decades = math.log10(max(xs) / min(xs) if axis is axes.xaxis else max(rates) / min(rates))
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,), numticks=20))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("arithmetic intensity, operations for each byte moved", fontsize=9)
    axes.set_ylabel(f"{found.source} rate, GOP/s (two operations for each multiply-accumulate)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_roofs(axes: Axes, roofs: Roofs) -> None:
    low, high = axes.get_xlim()
    bandwidth = roofs.bytes_per_second
    highest = max(peak.operations_per_second for peak in roofs.peaks)
    for peak, line in zip(roofs.peaks, _LINES, strict=False):
        level = peak.operations_per_second / 1e9
        begin = max(low, peak.operations_per_second / bandwidth) if bandwidth else low
        axes.plot([begin, high], [level, level], color="black", linestyle=line, linewidth=1.2, zorder=1)
        axes.annotate(
            f"{peak.arithmetic} peak {_giga(level)} GOP/s", (high, level), xytext=(-3, 3), textcoords="offset points",
            ha="right", fontsize=8,
        )  # fmt: skip
    if bandwidth:
        end = highest / bandwidth
        axes.plot([low, end], [low * bandwidth / 1e9, highest / 1e9], color="black", linewidth=1.2, zorder=1)


def _giga(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _label_slope(axes: Axes, roofs: Roofs, points: list[_Point]) -> None:
    """Writes the bandwidth along its line, above it, where the least is in the way."""
    bandwidth = roofs.bytes_per_second
    if bandwidth is None:
        return
    begin = max(axes.get_xlim()[0], axes.get_ylim()[0] * 1e9 / bandwidth)
    end = max(peak.operations_per_second for peak in roofs.peaks) / bandwidth
    places = [math.exp(math.log(begin) + part / 20 * math.log(end / begin)) for part in range(4, 18)]

    def room(x: float) -> float:
        return min(
            math.hypot(math.log(x / point.intensity), math.log(1.2 * x * bandwidth / point.rate)) for point in points
        )

    x = max(places, key=room)
    axes.text(
        x, x * bandwidth / 1e9 * 1.08, f"memory {_giga(bandwidth / 1e9)} GB/s", fontsize=8,
        rotation=math.degrees(math.atan(bandwidth / 1e9)), rotation_mode="anchor", transform_rotates_text=True,
        ha="center", va="bottom",
    )  # fmt: skip


def _draw_points(axes: Axes, points: list[_Point]) -> None:
    largest = max(point.share for point in points) or 1.0
    for point in sorted(points, key=lambda point: -point.share):
        look = look_of(point.layer.kind)
        filled = point.layer.arithmetic in _NARROW
        axes.scatter(
            point.intensity, point.rate / 1e9, s=_LEAST_AREA + _MOST_AREA * point.share / max(largest, 0.05),
            marker=look.marker, c=look.colour if filled else "none", edgecolors="white" if filled else look.colour,
            linewidths=0.6 if filled else 1.4, alpha=0.85, zorder=3,
        )  # fmt: skip


def _draw_legend(figure: Figure, points: list[_Point]) -> None:
    from matplotlib.lines import Line2D

    def sample(label: str, marker: str, colour: str, filled: bool) -> Line2D:
        face = colour if filled else "none"
        return Line2D(
            [], [], linestyle="none", marker=marker, color=colour, markerfacecolor=face, markersize=8, label=label
        )

    entries = [
        sample(look.title, look.marker, look.colour, filled=True)
        for look in looks_of(point.layer.kind for point in points)
    ]
    formats = dict.fromkeys(point.layer.arithmetic or "number format not told" for point in points)
    entries += [sample(name, "o", _GREY, filled=name in _NARROW) for name in formats]
    figure.legend(handles=entries, loc="outside upper right", ncols=len(entries), frameon=False, fontsize=8)


def _remarks(found: LayerTimes, points: list[_Point]) -> list[str]:
    """What the picture does not show."""
    largest = max(points, key=lambda point: point.share)
    lines = [
        f"area: share of the time of all layers; the largest marker is {units.percent(largest.share)}."
        f" Not drawn: {units.percent(1 - sum(point.share for point in points))} of the time, in layers without products"
        " or whose bytes are not told."
    ]
    if found.roofs is None:
        lines.append("No roofs: peak rates of this unit are not known.")
    elif found.roofs.bytes_per_second is None:
        lines.append(f"Peaks of {found.roofs.unit}; the bandwidth of its memory is not known.")
    else:
        lines.append(f"Roofs of {found.roofs.unit}; what lies above the sloped one is read from caches.")
    return lines
