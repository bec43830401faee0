"""The picture of token searches: latency of one block by its number of tokens, and the token counts of the plans."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.errors import UsageError
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.report.token_searches import goal, stops
from edgevit.results.run import Run
from edgevit.results.token_search import TokenSearch
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colour-blind-safe palette; marker, line and words carry the same information.
_LOOKS = {"measured": ("#0072B2", "-"), "predicted": ("#009E73", ":")}
_PLAN = "#D55E00"
_GREY = "#555555"
_PANEL_INCHES = 3.4
_AROUND_INCHES = 0.5
"""Height of the legend."""


def can_draw_staircases(run: Run) -> bool:
    """Returns whether any token search has block latencies to draw."""
    return any(_is_drawable(search) for search in run.token_searches)


@draws_plain_text
def draw_staircases(run: Run, path: Path) -> None:
    """Draws the token searches of a run as PNG, atomically, one panel each.

    A panel shows the latency of one block for every token count that was measured or predicted, the steps as filled
    squares joined by a staircase, and the token counts of the plan found as rings labelled with their blocks.

    Args:
        run: The run.
        path: File to write.

    Raises:
        UsageError: there is no search with block latencies; see :func:`can_draw_staircases`.
    """
    searches = [search for search in run.token_searches if _is_drawable(search)]
    if not searches:
        raise UsageError("nothing to draw: no token search has block latencies", "run `edgevit compress --tokens auto`")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (9, _PANEL_INCHES * len(searches) + _AROUND_INCHES)
    figure = Figure(figsize=size, dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for number, search in enumerate(searches, start=1):
        axes = figure.add_subplot(len(searches), 1, number)
        _set_axes(axes, search)
        _draw_steps(axes, search)
        _draw_plan(axes, search)
    _draw_legend(figure, searches)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _is_drawable(search: TokenSearch) -> bool:
    return bool(search.blocks) and all(math.isfinite(point.ms) and point.ms > 0 for point in search.blocks)


def _set_axes(axes: Axes, search: TokenSearch) -> None:
    found = search.plan or "no plan found"
    predicted = ", predicted" if search.source == "predicted" else ""
    axes.set_title(f"{goal(search)}{predicted}: {found}", loc="left", fontsize=10)
    axes.set_xlabel("tokens that enter the block, prefix tokens included", fontsize=9)
    axes.set_ylabel(f"{search.source}, ms for one block", fontsize=9)
    tokens = [point.tokens for point in search.blocks]
    margin = 0.04 * max(tokens[-1] - tokens[0], 1)
    axes.set_xlim(tokens[0] - margin, tokens[-1] + 3 * margin)
    axes.set_ylim(0, 1.12 * max(point.ms for point in search.blocks))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_steps(axes: Axes, search: TokenSearch) -> None:
    colour, line = _LOOKS[search.source]
    times = {point.tokens: point.ms for point in search.blocks}
    steps = sorted(count for count in search.steps if count in times)
    stairs = [times[count] for count in steps]
    if steps:
        counts, levels = [search.blocks[0].tokens, *steps], [stairs[0], *stairs]
        axes.step(counts, levels, where="pre", color=colour, linestyle=line, linewidth=1.2, alpha=0.6, zorder=2)
    others = [count for count in times if count not in search.steps]
    axes.scatter(
        others, [times[count] for count in others], s=26, facecolors="white", edgecolors=_GREY, linewidths=1, zorder=3
    )
    axes.scatter(steps, stairs, s=34, marker="s", color=colour, linewidths=0, zorder=4)


def _draw_plan(axes: Axes, search: TokenSearch) -> None:
    """Rings the token counts of the plan; labels are to the lower right, away from the rising staircase."""
    times = {point.tokens: point.ms for point in search.blocks}
    for stop in stops(search):
        ms = times.get(stop.tokens)
        if ms is None:
            continue
        axes.plot([stop.tokens] * 2, [0, ms], color=_PLAN, linestyle="--", linewidth=0.9, zorder=1)
        axes.scatter(stop.tokens, ms, s=150, facecolors="none", edgecolors=_PLAN, linewidths=1.8, zorder=5)
        where = f"after block {stop.block}'s attention" if stop.block else "at the start"
        axes.annotate(
            f"{stop.tokens} {where}",
            (stop.tokens, ms),
            xytext=(6, -9),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=_PLAN,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=1.5,
        )


def _draw_legend(figure: Figure, searches: list[TokenSearch]) -> None:
    from matplotlib.lines import Line2D

    entries = []
    for source in dict.fromkeys(search.source for search in searches):
        colour, line = _LOOKS[source]
        label = f"step, {source}: no larger count is as fast"
        entries.append(Line2D([], [], linestyle=line, color=colour, marker="s", markersize=6, label=label))
    entries.append(
        Line2D(
            [], [], linestyle="none", marker="o", markersize=6, markerfacecolor="white", color=_GREY, label="no step"
        )
    )
    if any(stops(search) for search in searches):
        ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "color": _PLAN}
        entries.append(Line2D([], [], linestyle="none", label="plan found", **ring))  # type: ignore[arg-type]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=8)
