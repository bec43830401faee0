"""The fronts of the HTML report, drawn by Bokeh: on this host, by runtime, on each board and for each device.

Measured points are circles with thin error bars, predicted ones diamonds on a wide band; no plot has both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.report import intervals
from edgevit.report.front import (
    Point,
    devices_of,
    front,
    is_logarithmic,
    levels,
    measured_points,
    points_on,
    vertical_range,
)
from edgevit.report.html.labels import label_offsets
from edgevit.report.html.panel import Panel, calm, runtime_colours
from edgevit.report.metric import change_text, judge_title, judge_unit, metric_of
from edgevit.report.plans import plan_of
from edgevit.report.table import has_labels, status_of
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST
from edgevit.results.metric import points_per_unit
from edgevit.results.run import Run

if TYPE_CHECKING:
    from bokeh.models import CDSView, ColumnDataSource, Range1d
    from bokeh.plotting import figure as Figure

_GREY = "#808080"
_HEIGHT, _LOW_HEIGHT = 420, 320
_FEW = 12
"""Up to so many points, all intervals are drawn strongly; of more, those on the front and of the chosen one."""


def draw_measured(run: Run) -> list[tuple[Panel, Figure]]:
    """Draws all runtimes in one plot, then each in one of its own, with the same axes; nothing where nothing was measured."""
    points = measured_points(run)
    if not points:
        return []
    from bokeh.models import Range1d

    runtimes = list(dict.fromkeys(point.candidate.backend for point in sorted(points, key=lambda each: each.number)))
    what = f"{judge_title(run)} against latency measured on this host"
    low, high = _horizontal_range(points)
    ranges = Range1d(low, high), Range1d(*_vertical_range(points, run))
    axis = "latency measured here, p50, ms"
    frame = _Frame(run, points, HOST, ranges, axis)
    source = _source(frame)
    everything = Panel("front-host", f"Measured on this host: {what}", _words(run, what, points), _numbers(points))
    found = [(everything, _front_plot(frame, source, None))]
    for number, runtime in enumerate(sorted(runtimes) if len(runtimes) > 1 else ()):
        own = tuple(point for point in points if point.candidate.backend == runtime)
        title = f"Measured on this host: {runtime}"
        panel = Panel(f"front-runtime-{number}", title, _words(run, f"{runtime}: {what}", own), _numbers(own))
        found.append((panel, _front_plot(frame, source, runtime)))
    return found


def draw_measured_on(run: Run, board: str) -> list[tuple[Panel, Figure]]:
    """Draws what was measured on a board; nothing where nothing was."""
    what = f"{judge_title(run)} against latency measured on {board}"
    number = [each.name for each in run.boards].index(board)
    return _one_plot(
        run,
        board,
        Panel(f"front-board-{number}", f"Measured on {board}", what, ()),
        f"latency measured on {board}, p50, ms",
    )


def draw_predicted(run: Run, device: str) -> list[tuple[Panel, Figure]]:
    """Draws what is predicted for a device; nothing where nothing is."""
    what = f"{judge_title(run)} against latency predicted for {device}"
    name, title = f"front-device-{devices_of(run).index(device)}", f"Predicted for {device}, not measured"
    return _one_plot(run, device, Panel(name, title, what, ()), "latency predicted, not measured, ms")


def _one_plot(run: Run, device: str, panel: Panel, axis: str) -> list[tuple[Panel, Figure]]:
    """The plot of all runtimes on a board or a device; the panel says what it shows, without its points."""
    points = points_on(run, device)
    if not points:
        return []
    from bokeh.models import Range1d

    ranges = Range1d(*_horizontal_range(points)), Range1d(*_vertical_range(points, run))
    frame = _Frame(run, points, device, ranges, axis)
    shown = replace(panel, description=_words(run, panel.description, points), numbers=_numbers(points))
    return [(shown, _front_plot(frame, _source(frame), None))]


@dataclass(frozen=True)
class _Frame:
    """What the plots of the same points share."""

    run: Run
    points: tuple[Point, ...]
    device: str
    ranges: tuple[Range1d, Range1d]
    axis: str

    @property
    def predicted(self) -> bool:
        return not self.run.is_measured_on(self.device)

    @property
    def floor(self) -> float:
        """Where points that lie below the plot are drawn."""
        low, high = self.ranges[1].start, self.ranges[1].end
        return float(low + 0.03 * (high - low))


def _numbers(points: Sequence[Point]) -> tuple[int, ...]:
    return tuple(point.number for point in points)


def _horizontal_range(points: Sequence[Point]) -> tuple[float, float]:
    """With room for every interval, as far as it is not many times the latencies themselves."""
    fastest, slowest = min(point.ms for point in points), max(point.ms for point in points)
    low = min([fastest, *(point.reach_ms.low for point in points if point.reach_ms)])
    high = max([slowest, *(point.reach_ms.high for point in points if point.reach_ms)])
    if is_logarithmic(points):
        return max(low, fastest / 3) / 1.3, min(high, slowest * 3) * 1.3
    span = max(high - low, 0.2 * high)
    return max(low - 0.08 * span, 0.0), high + 0.08 * span


def _vertical_range(points: Sequence[Point], run: Run) -> tuple[float, float]:
    """As the picture has it, with room for the intervals of the points on the front."""
    low, high = vertical_range(points, run)
    reaches = [point.reach for point in front(points) if point.reach]
    return min([low, *(reach.low for reach in reaches)]), max([high, *(reach.high for reach in reaches)])


def _words(run: Run, what: str, points: Sequence[Point]) -> str:
    """A plot in words."""
    best = front(points)
    unit = judge_unit(run)
    shown = [
        f"number {point.number}, {point.candidate.id}, {units.milliseconds(point.ms)} and"
        f" {units.metric(point.value / points_per_unit(unit), unit)}"
        for point in best[:8]
    ]
    ends = f" On the front, fastest first: {'; '.join(shown)}." if shown else ""
    return f"Plot of {what} of {len(points)} candidates.{ends} The table of candidates has all figures."


def _source(frame: _Frame) -> ColumnDataSource:
    from bokeh.models import ColumnDataSource

    run, points, floor = frame.run, frame.points, frame.floor
    colours = runtime_colours(run)
    best = {point.number for point in front(points)}
    rows = [
        {**_row(frame, point, colours[point.candidate.backend]), "on_front": point.number in best} for point in points
    ]
    places = [_place(frame, point.ms, max(point.value, floor)) for point in points]
    radii = [12.0 if row["ring"] else 6.0 for row in rows]
    offsets = label_offsets(places, [str(row["text"]) for row in rows], radii)
    thin, wide = (0.9, 0.35) if len(points) <= _FEW else (0.22, 0.1)
    for row, (right, down) in zip(rows, offsets, strict=True):
        row["right"], row["down"] = right, down
        stands_out = row["on_front"] or row["ring"]
        row["thin"], row["band"] = (0.9, 0.35) if stands_out else (thin, wide)
    name = "points-predicted" if frame.predicted else "points-measured"
    return ColumnDataSource({key: [row[key] for row in rows] for key in rows[0]}, name=name)


def _row(frame: _Frame, point: Point, colour: str) -> dict[str, Any]:
    run, candidate, floor = frame.run, point.candidate, frame.floor
    value, below = max(point.value, floor), point.value < floor
    unit = judge_unit(run)
    reach, reach_ms = point.reach, point.reach_ms
    size = candidate.artifact.size_bytes if candidate.artifact else None
    return {
        "number": point.number,
        "text": f"{point.number} ↓" if below else str(point.number),
        "id": units.visible(candidate.id),
        "runtime": units.visible(candidate.backend),
        "plan": units.visible(plan_of(candidate)),
        "status": units.visible(status_of(run, candidate)),
        "latency": _with(units.milliseconds(point.ms), intervals.milliseconds(reach_ms)),
        "score": _with(
            units.metric(point.value / points_per_unit(unit), unit),
            f"{reach.low:.1f} to {reach.high:.1f}" if reach else "–",
        ),
        "change": change_text(candidate.accuracy.judged) if candidate.accuracy else "–",
        "size": units.size(size),
        "x": point.ms,
        "y": value,
        "x_low": reach_ms.low if reach_ms else point.ms,
        "x_high": reach_ms.high if reach_ms else point.ms,
        "y_low": max(reach.low, floor) if reach and not below else value,
        "y_high": reach.high if reach and not below else value,
        "colour": colour,
        "filled": 1.0 if point.usable else 0.0,
        "ring": 1.0 if _is_chosen(frame, candidate) else 0.0,
    }


def _is_chosen(frame: _Frame, candidate: Candidate) -> bool:
    chosen = frame.run.choices
    return candidate.id in chosen.values() if frame.device == HOST else candidate.id == chosen.get(frame.device)


def _with(text: str, reach: str) -> str:
    return text if reach == "–" else f"{text} ({reach})"


def _place(frame: _Frame, ms: float, value: float) -> tuple[float, float]:
    """In the plot, 0..1 from the left and from the bottom."""
    from math import log

    (left, right), (bottom, top) = ((each.start, each.end) for each in frame.ranges)
    if is_logarithmic(frame.points):
        ms, left, right = log(ms), log(left), log(right)
    return (ms - left) / (right - left), (value - bottom) / (top - bottom)


_TIPS = [
    ("number", "@number"),
    ("candidate", "@id"),
    ("plan", "@plan"),
    ("status", "@status"),
    ("latency", "@latency"),
    ("value", "@score"),
    ("change", "@change"),
    ("size", "@size"),
]


def _front_plot(frame: _Frame, source: ColumnDataSource, runtime: str | None) -> Figure:
    """Draws the points of one runtime, or all of them."""
    from bokeh.core.properties import value
    from bokeh.models import BooleanFilter, CDSView, HoverTool

    of_panel = [runtime in (None, point.candidate.backend) for point in frame.points]
    tags = ["panel", *(number for number, shown in zip(_numbers(frame.points), of_panel, strict=True) if shown)]
    view = CDSView(filter=BooleanFilter(booleans=of_panel, tags=tags))
    run = frame.run
    what = judge_title(run) if metric_of(run) or has_labels(run) else "agreement with the float model"
    unit = f", {judge_unit(run)}" if judge_unit(run) else ""
    plot = _plot(frame, f"{what}{unit}", _HEIGHT if runtime is None else _LOW_HEIGHT)
    _draw_levels(plot, run)
    _draw_step(plot, frame, runtime)
    _draw_reach(plot, frame, source, view)
    points = plot.scatter(
        "x", "y", source=source, view=view, marker="diamond" if frame.predicted else "circle",
        size=15 if frame.predicted else 11, fill_color="colour", fill_alpha="filled", line_color="colour", line_width=1.8,
        nonselection_alpha=0.25, hover_line_color=_GREY,
    )  # fmt: skip
    points.nonselection_glyph.update(fill_alpha=0.1, line_alpha=0.35)
    points.name = "points"
    ring = plot.scatter(
        "x", "y", source=source, view=view, size=24, marker="circle", fill_alpha=0, line_alpha="ring", line_width=2,
    )  # fmt: skip
    texts = plot.text(
        "x", "y", text="text", source=source, view=view, x_offset="right", y_offset="down", text_align="center",
        text_baseline="middle", text_font_size="11px", text_font=value("system-ui, sans-serif"),
    )  # fmt: skip
    for mark in (ring, texts):
        mark.tags = ["ink"]
        mark.nonselection_glyph = mark.glyph
        mark.selection_glyph = mark.glyph
    plot.add_tools(HoverTool(renderers=[points], tooltips=_TIPS))
    return plot


def _plot(frame: _Frame, label: str, height: int) -> Figure:
    from bokeh.models import LogTicker, PlainText
    from bokeh.plotting import figure

    logarithmic = is_logarithmic(frame.points)
    across, up = frame.ranges
    plot = figure(
        height=height, sizing_mode="stretch_width", output_backend="svg", tools="pan,box_zoom,wheel_zoom,tap,reset",
        active_drag=None, active_scroll=None, toolbar_location="above", x_range=across, y_range=up,
        x_axis_type="log" if logarithmic else "linear",
    )  # fmt: skip
    if logarithmic:
        from bokeh.models import BasicTickFormatter

        plot.xaxis.ticker = LogTicker(desired_num_ticks=6)
        plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.xaxis.axis_label = PlainText(frame.axis)
    plot.yaxis.axis_label = PlainText(label)
    calm(plot)
    return plot


def _draw_levels(plot: Figure, run: Run) -> None:
    from bokeh.models import Span

    for level, dash in zip(levels(run), ("solid", "dashed"), strict=True):
        if level is not None:
            plot.add_layout(Span(location=level, dimension="width", line_color=_GREY, line_dash=dash, line_width=1))


def _draw_step(plot: Figure, frame: _Frame, runtime: str | None) -> None:
    """The best value within each latency, of the points of the plot."""
    best = front(point for point in frame.points if runtime in (None, point.candidate.backend))
    if not best:
        return
    end = frame.ranges[0].end * (10 if is_logarithmic(frame.points) else 3)
    values = [max(point.value, frame.floor) for point in best]
    step = plot.step([*(point.ms for point in best), end], [*values, values[-1]], mode="after", line_width=1.5)
    step.tags, step.name = ["ink"], "front"


def _draw_reach(plot: Figure, frame: _Frame, source: ColumnDataSource, view: CDSView) -> None:
    """Intervals: thin lines of what was measured, wide bands of what was predicted."""
    across: dict[str, Any] = {"line_width": 7, "line_alpha": "band"} if frame.predicted else {"line_alpha": "thin"}
    shared: dict[str, Any] = {"source": source, "view": view, "line_color": "colour", "selection_line_alpha": 0.7}
    marks = (
        plot.segment("x_low", "y", "x_high", "y", **across, **shared),
        plot.segment("x", "y_low", "x", "y_high", line_alpha="thin", **shared),
    )
    for mark in marks:
        mark.nonselection_glyph.update(line_alpha=0.08)
