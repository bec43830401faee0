"""The picture of a search: what was made and what is predicted, one colour for each model, and the front."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.measurement import HOST
from edgevit.results.search import Search, SearchPoint
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colour-blind-safe palette; the marker carries the same information.
_LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"))
_GREY = "#555555"


def can_draw(search: Search) -> bool:
    """Returns whether there is a front to draw, and matplotlib to draw it with."""
    import importlib.util

    return bool(search.front) and importlib.util.find_spec("matplotlib") is not None


@draws_plain_text
def draw_search(search: Search, path: Path) -> None:
    """Draws accuracy, or its change, against latency as PNG, atomically.

    Points that were made are filled, those that are predicted are small and hollow with their intervals; the front is a
    step line of what was made.

    Args:
        search: With a front.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, model in enumerate(search.models):
        points = [point for point in search.points if point.settings.model == model.name]
        _draw_model(axes, search, points, model.name, *_LOOKS[number % len(_LOOKS)])
    _draw_front(axes, search)
    names = ", ".join(model.name for model in search.models)
    axes.set_title(f"{names}: {search.budget.trials} candidates made, {search.budget.minutes:.0f} min", loc="left")
    place = f"on this host, {search.host.cpu}" if search.target == HOST else f"predicted for {search.target}"
    axes.set_xlabel(f"latency {place}, p50, milliseconds (left is better)", fontsize=9)
    axes.set_ylabel(_label(search))
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _label(search: Search) -> str:
    metric = search.models[0].metric
    if len(search.models) == 1:
        return f"change of {metric} against the float model, points (up is better)"
    return f"{metric}, percent (up is better)"


def _height(search: Search, point: SearchPoint) -> float | None:
    """Change of the metric of a single model; of several its value, in percent."""
    if point.drop_points is None:
        return None
    if len(search.models) == 1:
        return -point.drop_points.value
    base = next(model.baseline for model in search.models if model.name == point.settings.model)
    return None if base is None else 100 * base - point.drop_points.value


def _draw_model(axes: Axes, search: Search, points: list[SearchPoint], name: str, colour: str, marker: str) -> None:
    made = [p for p in points if p.status == "measured"]
    expected = [p for p in points if p.status in ("predicted", "not run")]
    for several, label, size, face in (
        (made, f"{name}, made", 52, colour),
        (expected, f"{name}, predicted", 14, "none"),
    ):
        shown = [(p, _height(search, p)) for p in several]
        drawn = [(p.p50_ms.value, height) for p, height in shown if p.p50_ms and height is not None]
        if drawn:
            times, heights = zip(*drawn, strict=True)
            axes.scatter(times, heights, s=size, c=face, marker=marker, edgecolors=colour, label=label, zorder=3)


def _draw_front(axes: Axes, search: Search) -> None:
    """A step line: the best accuracy within each latency."""
    shown = [(p.p50_ms.value, _height(search, p)) for p in search.on_front if p.p50_ms]
    steps, best = list[tuple[float, float]](), float("-inf")
    for ms, height in sorted((ms, height) for ms, height in shown if height is not None):
        if height > best:
            steps.append((ms, height))
            best = height
    if steps:
        slowest = max(ms for ms, _ in steps) * 1.3
        axes.step(
            [*(ms for ms, _ in steps), slowest],
            [*(height for _, height in steps), steps[-1][1]],
            where="post",
            color=_GREY,
            linewidth=1.2,
            zorder=2,
            label="front",
        )
        heights = [height for _, height in steps]
        span = max(1.0, max(heights) - min(heights))
        axes.set_ylim(min(heights) - 0.4 * span, max(heights) + 0.25 * span)
        axes.set_xlim(0, slowest)
