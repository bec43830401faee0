"""The picture of a run: accuracy against latency of every measured candidate."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.errors import UsageError
from edgevit.report.front import Point, front, is_logarithmic, levels, measured_points, vertical_range
from edgevit.report.metric import judge_title, judge_unit, metric_of
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.report.table import has_labels
from edgevit.results.measurement import HOST
from edgevit.results.metric import Unit, points_per_unit
from edgevit.results.run import Run
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

# Okabe and Ito's colour-blind-safe palette; the marker carries the same information.
_LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"))
_GREY = "#555555"
_MOST_COVERED = 0.12
"""Largest share of a label that others may cover."""
_OFFSETS = tuple(
    (round(radius * math.cos(angle)), round(radius * math.sin(angle)))
    for radius in (11, 22, 36, 52)
    for angle in (0, math.pi, math.pi / 2, -math.pi / 2, 0.8, -0.8, math.pi - 0.8, math.pi + 0.8)
)


@dataclass(frozen=True)
class _Mark:
    label: str
    """What was done to the model, of the candidates that matter most; the rank in the table of all others."""
    backend: str
    latency_ms: float
    value: float
    """In percent, or in the unit of the metric that the spec names."""
    status: str
    chosen: bool


def can_draw(run: Run) -> bool:
    """Returns whether any candidate has both a latency on this host and an accuracy (or agreement) to draw."""
    return bool(measured_points(run))


@draws_plain_text
def draw_front(run: Run, path: Path) -> None:
    """Draws a run as PNG, atomically.

    The picture shows top-1 (top-1 agreement where there are no labels, or the metric of the spec) against p50 latency on this host: the chosen
    candidates ringed, rejected ones hollow, the float baseline and the largest drop allowed as lines. Points far below
    the rest are drawn on the lower edge with an arrow and their value.

    Args:
        run: The run.
        path: File to write.

    Raises:
        UsageError: no candidate has both values; see :func:`can_draw`.
    """
    measured = measured_points(run)
    if not measured:
        raise UsageError(
            "nothing to draw: no candidate has both a latency and an accuracy", "run `edgevit compress` with --data"
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    points = _marks(run, measured)
    baseline, lowest = levels(run)
    floor, ceiling = vertical_range(measured, run)
    _draw_front_line(axes, front(measured), floor)
    _set_axes(run, axes, points, floor, ceiling)
    _draw_levels(axes, baseline, lowest, judge_unit(run))
    _draw_points(axes, points, floor)
    _draw_legend(axes, points, _chosen_for(run))
    _draw_labels(
        figure, axes, points, floor, judge_unit(run), [level for level in (baseline, lowest) if level is not None]
    )
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _marks(run: Run, points: Sequence[Point]) -> list[_Mark]:
    shared, best = _shared_passes(run), {point.number for point in front(points)}
    found = []
    for point in points:
        candidate = point.candidate
        chosen = candidate.id in run.choices.values()
        is_dense = candidate.parent is None and candidate.scheme == "fp32"
        named = chosen or is_dense or point.number in best
        label = candidate.id.removeprefix(f"{candidate.backend}/").removesuffix(shared) if named else str(point.number)
        found.append(_Mark(label, candidate.backend, point.ms, point.value, candidate.status, chosen))
    return found


def _draw_front_line(axes: Axes, best: Sequence[Point], floor: float) -> None:
    """A step line: the best value within each latency."""
    if best:
        slowest = best[-1].ms * 4  # beyond the axis, so that the last step goes on to its end
        latencies = [*(point.ms for point in best), slowest]
        values = [max(point.value, floor) for point in best]
        axes.step(latencies, [*values, values[-1]], where="post", color=_GREY, linewidth=1.2, zorder=2)


def _shared_passes(run: Run) -> str:
    """The end of every candidate's id after backend and scheme, where all have the same, else ""."""
    ends = {candidate.id.removeprefix(f"{candidate.backend}/{candidate.scheme}") for candidate in run.candidates}
    return ends.pop() if len(ends) == 1 else ""


def _set_axes(run: Run, axes: Axes, points: list[_Mark], floor: float, ceiling: float) -> None:
    model = run.spec.get("model")
    name = model.get("name", "model") if isinstance(model, dict) else "model"
    passes = _shared_passes(run).replace("/dense", "").replace("/", ", ")
    threads = "1 thread" if run.host.threads == 1 else f"{run.host.threads} threads"
    quick = ", quick run" if run.is_quick else ""
    axes.set_title(f"{name}{passes} on {run.host.cpu}, {threads}{quick}", loc="left", fontsize=11)
    axes.set_xlabel("latency measured on this host, p50, milliseconds for one image (left is better)")
    what = "top-1 accuracy" if has_labels(run) else "top-1 agreement with the float model"
    unit = f", {judge_unit(run)}" if judge_unit(run) else ""
    axes.set_ylabel(f"{judge_title(run) if metric_of(run) else what}{unit} (up is better)")
    slowest, fastest = max(p.latency_ms for p in points), min(p.latency_ms for p in points)
    if is_logarithmic(measured_points(run)):
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(fastest / 1.5, slowest * 1.9)
    else:
        span = max(slowest - fastest, 0.2 * slowest)
        axes.set_xlim(max(fastest - 0.15 * span, 0), slowest + 0.3 * span)
    axes.set_ylim(floor, ceiling)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_levels(axes: Axes, baseline: float | None, lowest: float | None, unit: Unit) -> None:
    for level, style, text in ((baseline, "-", "float baseline"), (lowest, "--", "largest drop allowed")):
        if level is None:
            continue
        axes.axhline(level, color=_GREY, linestyle=style, linewidth=1, zorder=1)
        axes.annotate(
            f"{text}: {_level_text(level, unit)}",
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=_GREY,
        )


def _level_text(level: float, unit: Unit) -> str:
    return units.metric(level / points_per_unit(unit), unit)


def _looks(points: list[_Mark]) -> dict[str, tuple[str, str]]:
    backends = sorted({point.backend for point in points})
    return {backend: _LOOKS[index % len(_LOOKS)] for index, backend in enumerate(backends)}


def _height(point: _Mark, floor: float) -> float:
    return max(point.value, floor)


def _draw_points(axes: Axes, points: list[_Mark], floor: float) -> None:
    looks = _looks(points)
    for point in points:
        colour, marker = looks[point.backend]
        height = _height(point, floor)
        face = colour if point.status == "ok" else "white"
        shared: dict[str, Any] = {"zorder": 4, "clip_on": False}
        edge, width = ("white", 0.8) if point.status == "ok" else (colour, 1.6)
        axes.scatter(point.latency_ms, height, s=90, c=face, marker=marker, edgecolors=edge, linewidths=width, **shared)
        if point.chosen:
            axes.scatter(
                point.latency_ms, height, s=300, facecolors="none", edgecolors="black", linewidths=1.8, **shared
            )


def _chosen_for(run: Run) -> str:
    """What the ring means, with the devices that candidates were chosen for where it is not this host."""
    devices = [device for device, name in run.choices.items() if name and device != HOST]
    return f"chosen for {', '.join(devices)}" if devices else "chosen"


def _draw_legend(axes: Axes, points: list[_Mark], chosen: str) -> None:
    from matplotlib.lines import Line2D

    def sample(label: str, **looks: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **looks)

    entries = [
        sample(backend, marker=marker, color=colour, markersize=8)
        for backend, (colour, marker) in _looks(points).items()
    ]
    if any(point.chosen for point in points):
        entries.append(sample(chosen, marker="o", markersize=14, markerfacecolor="none", color="black"))
    if any(point.status != "ok" for point in points):
        entries.append(sample("rejected", marker="o", markersize=8, markerfacecolor="white", color=_GREY))
    entries.append(Line2D([], [], color=_GREY, linewidth=1.2, label="front; numbers are ranks in the table"))
    figure = axes.get_figure()
    assert figure is not None, "axes belong to a figure"
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=9)


def _draw_labels(figure: Figure, axes: Axes, points: list[_Mark], floor: float, unit: Unit, lines: list[float]) -> None:
    """Labels each point at the nearest offset with the least overlap, the chosen candidate first."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    taken = [
        Bbox.from_bounds(x - 6 * pixels, y - 6 * pixels, 12 * pixels, 12 * pixels)
        for x, y in (axes.transData.transform((point.latency_ms, _height(point, floor))) for point in points)
    ]
    taken += [text.get_window_extent() for text in axes.texts]
    frame = axes.get_window_extent()
    heights = [float(axes.transData.transform((0.0, level))[1]) for level in lines]
    taken += [Bbox.from_bounds(frame.x0, height - pixels, frame.width, 2 * pixels) for height in heights]
    for point in sorted(points, key=lambda point: (not point.chosen, point.status != "ok", point.latency_ms)):
        colour, _ = _looks(points)[point.backend]
        text = point.label if point.value >= floor else f"{point.label} ↓ {_level_text(point.value, unit)}"
        label = axes.annotate(
            text,
            (point.latency_ms, _height(point, floor)),
            xytext=(0, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
            fontweight="bold" if point.chosen else "normal",
            zorder=5,
        )
        taken.append(_place(label, taken, frame, must_stay=point.chosen))


def _place(label: Annotation, taken: list[Bbox], frame: Bbox, *, must_stay: bool) -> Bbox:
    """Moves a label to the offset with the least overlap and returns its box in pixels.

    A label that would still be covered too much to be read is hidden, unless ``must_stay``.
    """
    from matplotlib.transforms import Bbox

    best: tuple[float, int] | None = None
    for index in range(len(_OFFSETS)):
        box = _move(label, index)
        outside = box.width * box.height - _overlap(box, frame)
        cost = 3 * outside + sum(_overlap(box, other) for other in taken)
        if best is None or cost < best[0]:
            best = (cost, index)
        if cost == 0:
            break
    assert best is not None, "there are offsets"
    box = _move(label, best[1])
    if best[0] > _MOST_COVERED * box.width * box.height and not must_stay:
        label.set_visible(False)
        return Bbox.null()
    if best[1] >= 8:
        x, y = _OFFSETS[best[1]]
        label.axes.annotate(  # type: ignore[union-attr]
            "",
            label.xy,
            xytext=(0.85 * x, 0.85 * y),
            textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": label.get_color(), "linewidth": 0.6, "shrinkB": 5},
        )
    return box


def _move(label: Annotation, index: int) -> Bbox:
    x, y = _OFFSETS[index]
    label.set_horizontalalignment("left" if x > 1 else "right" if x < -1 else "center")
    label.set_position((x, y))
    return label.get_window_extent()


def _overlap(first: Bbox, second: Bbox) -> float:
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return float(max(width, 0.0) * max(height, 0.0))
