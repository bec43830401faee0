"""Draws accuracy against speed, one panel per runtime: hollow points are float32, filled ones int8."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter
from matplotlib.transforms import Bbox

from edgevit.run.files import write_atomically

# Okabe and Ito's colour-blind-safe palette; the marker carries the same information.
LOOKS = {
    "dense": ("#777777", "o"),
    "evit": ("#0072B2", "s"),
    "evit_fused": ("#56B4E9", "P"),
    "tome": ("#009E73", "^"),
    "squeeze": ("#D55E00", "D"),
    "resolution": ("#E69F00", "v"),
    "patch": ("#CC79A7", "X"),
    "auto": ("#000000", "*"),
}
"""Colour and marker of a method; "auto" is a plan that a search found, whatever its method."""
_GREY = "#555555"
_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 8)
_SHOWN_DROP = 4.0
"""Percentage points below the baseline; points further down are drawn on the lower edge, with their value."""
_HALO = [withStroke(linewidth=2, foreground="white")]
_OFFSETS = tuple(
    (round(radius * math.cos(angle)), round(radius * math.sin(angle)))
    for radius in (9, 18, 30, 44, 60)
    for angle in (0, math.pi, math.pi / 2, -math.pi / 2, 0.6, -0.6, math.pi - 0.6, math.pi + 0.6)
)


@dataclass(frozen=True)
class Point:
    """One artifact."""

    label: str
    named: bool
    """Whether the label is always shown; otherwise only on the lower edge."""
    method: str
    """One of :data:`LOOKS`."""
    filled: bool
    speed_up: float
    """Over the dense float32 artifact."""
    percent: float


@dataclass(frozen=True)
class Region:
    """A goal: a least speed-up within a largest drop in percentage points."""

    label: str
    speed_up: float
    max_drop: float
    int8: bool


@dataclass(frozen=True)
class Panel:
    """One runtime."""

    title: str
    points: tuple[Point, ...]
    fronts: tuple[tuple[Point, ...], ...]
    """Each by increasing speed; the first is the front of all points, drawn solid."""
    regions: tuple[Region, ...] = ()
    marks: tuple[tuple[str, float], ...] = ()
    """Vertical lines: label and speed-up."""


def draw_panels(panels: tuple[Panel, ...], baseline: float, title: str, path: Path) -> None:
    """Writes a PNG, atomically.

    Args:
        panels: One per runtime, with a point at least.
        baseline: Top-1 of the dense float32 model, in percent.
        title: Above all panels.
        path: File to write.
    """
    figure = Figure(figsize=(7.6 * len(panels), 8.4), dpi=130, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    points = [point for panel in panels for point in panel.points]
    highest = max(baseline, *(point.percent for point in points))
    goals = [baseline - region.max_drop for panel in panels for region in panel.regions]
    floor = max(min(*goals, *(point.percent for point in points), baseline), baseline - _SHOWN_DROP)
    margin = 0.08 * max(highest - floor, 1.0)
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(every, panels, strict=True):
        axes.set_ylim(floor - margin, highest + margin)
        _set_axes(axes, panel)
        _draw_levels(axes, panel, baseline)
        _draw_points(axes, panel, floor)
    every[0].set_ylabel("top-1 accuracy, % (up is better)")
    _draw_legend(figure, points)
    figure.draw_without_rendering()
    for axes, panel in zip(every, panels, strict=True):
        _draw_labels(axes, panel, floor)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _set_axes(axes: Axes, panel: Panel) -> None:
    speeds = [point.speed_up for point in panel.points] + [region.speed_up for region in panel.regions]
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / 1.06, max(speeds) * 1.18)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.set_xlabel("speed-up over dense float32, interleaved (right is better)")
    axes.grid(color="#ececec", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_levels(axes: Axes, panel: Panel, baseline: float) -> None:
    axes.axhline(baseline, color=_GREY, linewidth=1, zorder=1)
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    for region in panel.regions:
        corner, style = (region.speed_up, baseline - region.max_drop), "-" if region.int8 else "--"
        size = right - region.speed_up, top - corner[1]
        shade = "#8c8c8c" if region.int8 else "#c9c9c9"
        axes.add_patch(Rectangle(corner, *size, facecolor=shade, alpha=0.13, linewidth=0, zorder=0))
        edge = ([region.speed_up, region.speed_up, right], [top, corner[1], corner[1]])
        axes.plot(*edge, color=_GREY, linewidth=0.9, linestyle=style, zorder=1)
        axes.annotate(
            region.label, (right, corner[1]), xytext=(-3, 2), textcoords="offset points", ha="right", va="bottom",
            fontsize=7.5, color=_GREY, style="italic", path_effects=_HALO,
        )  # fmt: skip
    for text, speed_up in panel.marks:
        axes.axvline(speed_up, color=_GREY, linestyle=":", linewidth=1, zorder=1)
        axes.annotate(
            text, (speed_up, 0), xycoords=("data", "axes fraction"), xytext=(3, 4), textcoords="offset points",
            rotation=90, va="bottom", fontsize=7, color=_GREY,
        )  # fmt: skip


def _draw_points(axes: Axes, panel: Panel, floor: float) -> None:
    for index, front in enumerate(panel.fronts):
        places = [point.speed_up for point in front], [max(point.percent, floor) for point in front]
        axes.plot(*places, color="black", linewidth=1.3, linestyle="--" if index else "-", alpha=0.55, zorder=2)
    for point in panel.points:
        colour, marker = LOOKS[point.method]
        face = colour if point.filled else "white"
        size = 130 if marker == "*" else 60
        axes.scatter(
            point.speed_up, max(point.percent, floor), s=size, c=face, marker=marker, edgecolors=colour,
            linewidths=1.5, zorder=4, clip_on=False,
        )  # fmt: skip


def _draw_legend(figure: Figure, points: list[Point]) -> None:
    def sample(label: str, **looks: Any) -> Line2D:
        return Line2D([], [], **{"linestyle": "none", "markersize": 7, "label": label, **looks})

    used = {point.method for point in points}
    entries = [
        sample(method, marker=marker, color=colour) for method, (colour, marker) in LOOKS.items() if method in used
    ]
    entries.append(sample("float32", marker="o", color=_GREY, markerfacecolor="white", markeredgewidth=1.5))
    if any(point.filled for point in points):
        entries.append(sample("int8", marker="o", color=_GREY))
    entries.append(sample("front of all", color="black", linestyle="-"))
    entries.append(sample("front of float32", color="black", linestyle="--"))
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 12), frameon=False, fontsize=9)


def _draw_labels(axes: Axes, panel: Panel, floor: float) -> None:
    """Labels each point at the nearest offset with the least overlap."""
    pixels = axes.figure.dpi / 72
    taken = [
        Bbox.from_bounds(x - 5 * pixels, y - 5 * pixels, 10 * pixels, 10 * pixels)
        for x, y in (axes.transData.transform((p.speed_up, max(p.percent, floor))) for p in panel.points)
    ]
    taken += [text.get_window_extent() for text in axes.texts]
    for point in sorted(panel.points, key=lambda point: -point.percent):
        below = point.percent < floor
        if not (point.named or below):
            continue
        text = f"{point.label} ↓ {point.percent:.1f}" if below else point.label
        label = axes.annotate(
            text, (point.speed_up, max(point.percent, floor)), xytext=(0, 0), textcoords="offset points", va="center",
            fontsize=7.5, color=LOOKS[point.method][0], zorder=5, path_effects=_HALO,
        )  # fmt: skip
        taken.append(_place(axes, label, taken))


def _place(axes: Axes, label: Annotation, taken: list[Bbox]) -> Bbox:
    """Moves a label to the offset with the least overlap and returns its box in pixels."""
    frame = axes.get_window_extent()
    best = min(range(len(_OFFSETS)), key=lambda index: (_cost(_move(label, index), taken, frame), index))
    box = _move(label, best)
    if best >= 8:
        x, y = _OFFSETS[best]
        axes.annotate(
            "", label.xy, xytext=(0.9 * x, 0.9 * y), textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": label.get_color(), "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip
    return box


def _cost(box: Bbox, taken: list[Bbox], frame: Bbox) -> float:
    outside = box.width * box.height - _overlap(box, frame)
    return 3 * outside + sum(_overlap(box, other) for other in taken)


def _move(label: Annotation, index: int) -> Bbox:
    x, y = _OFFSETS[index]
    label.set_horizontalalignment("left" if x > 1 else "right" if x < -1 else "center")
    label.set_position((x, y))
    return label.get_window_extent()


def _overlap(first: Bbox, second: Bbox) -> float:
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return float(max(width, 0.0) * max(height, 0.0))
