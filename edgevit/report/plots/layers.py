"""The picture of where the time of one inference goes: a bar for each layer, and the slowest of them by name."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.report.plots.op_families import FamilyLook, look_of, looks_of
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.layer_times import LayerTimes
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "#555555"
_EDGE = "#444444"
_DIGIT_SPACE = "\u2007"
_MOST_NAMED = 20
"""Layers in the lower panel."""
_MOST_LETTERS = 44
"""Of a name; what is longer loses its middle, for names of one network begin and end differently."""
_TITLE_LETTERS = 110
"""Of a line of the title."""
_ORDER_INCHES = 2.3
_ROW_INCHES = 0.2
_AROUND_INCHES = 1.9
"""Height of title, axes and legend."""


@draws_plain_text
def draw_layer_times(name: str, found: LayerTimes, path: Path) -> None:
    """Draws the time of the layers of an artifact as PNG, atomically.

    The upper panel has every layer in the order in which they run; the lower one the slowest by name, each with its place in
    that order, its time, and its share of the time of all layers. Colours tell op families.

    Args:
        name: Of the artifact.
        found: At least one layer.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    named = min(len(found.layers), _MOST_NAMED)
    rows = named + (len(found.layers) > named)
    lower = _ROW_INCHES * max(rows, 4)
    figure = Figure(
        figsize=(9, _AROUND_INCHES + _ORDER_INCHES + lower), dpi=150, layout="constrained", facecolor="white"
    )
    FigureCanvasAgg(figure)
    upper, below = figure.subplots(2, 1, height_ratios=(_ORDER_INCHES, lower))
    upper.set_title("\n".join(_title(name, found)), loc="left", fontsize=10)
    _draw_order(upper, found)
    _draw_slowest(below, found, named)
    _draw_legend(figure, found)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def short_name(name: str) -> str:
    """Returns the name of a layer, without its middle where it is long."""
    if len(name) <= _MOST_LETTERS:
        return name
    end = (_MOST_LETTERS - 1) // 2
    return f"{name[: _MOST_LETTERS - 1 - end]}…{name[-end:]}"


def _title(name: str, found: LayerTimes) -> list[str]:
    where = "this host" if found.device == "host" else found.device
    lines = textwrap.wrap(f"{name} on {where} ({found.unit}), {found.source}", _TITLE_LETTERS)
    fastest = "" if found.fastest_ms is None else f", {units.milliseconds(found.fastest_ms)} at best"
    whole = f"p50 {units.milliseconds(found.p50_ms)}{fastest}"
    share = units.percent(found.share_of_p50, 0)
    counted = "1 layer" if len(found.layers) == 1 else f"{len(found.layers)} layers"
    lines.append(f"sum of {counted} {units.milliseconds(found.sum_ms)}, {share} of the whole run's {whole}")
    return lines


def _draw_order(axes: Axes, found: LayerTimes) -> None:
    places = range(1, len(found.layers) + 1)
    colours = [look_of(layer.kind).colour for layer in found.layers]
    times = [layer.ms for layer in found.layers]
    axes.bar(places, times, width=0.9, color=colours, linewidth=0, antialiased=False)  # or thin bars would be pale
    axes.set_xlim(0.3, len(found.layers) + 0.7)
    axes.set_xlabel("layers in the order in which they run", fontsize=9)
    axes.set_ylabel("time, ms", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_slowest(axes: Axes, found: LayerTimes, named: int) -> None:
    places = {id(layer): place for place, layer in enumerate(found.layers, start=1)}
    slowest = found.slowest_first[:named]
    labels, digits = [], len(str(len(found.layers)))
    for row, layer in enumerate(slowest):
        look = look_of(layer.kind)
        axes.barh(row, layer.ms, height=0.74, color=look.colour, hatch=look.hatch, edgecolor="white", linewidth=0)
        _annotate(axes, layer.ms, row, f"{units.milliseconds(layer.ms)}, {units.percent(found.share(layer.ms))}")
        place = str(places[id(layer)]).rjust(digits, _DIGIT_SPACE)
        labels.append(f"{short_name(units.visible(layer.name))}  {place}")
    left = found.slowest_first[named:]
    if left:
        rest = sum(layer.ms for layer in left)
        counted = f"{units.milliseconds(rest)}, {units.percent(found.share(rest))} together (no bar)"
        _annotate(axes, 0.0, named, counted)
        labels.append(f"the other {len(left)}  {digits * _DIGIT_SPACE}")
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_ylim(max(len(labels), 4) - 0.4, -0.6)
    axes.set_xlim(0, 1.22 * max(layer.ms for layer in slowest) or 1.0)
    axes.set_xlabel(
        "slowest layers: name, place in the order; time, ms, and share of the time of all layers", fontsize=9
    )
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _annotate(axes: Axes, ms: float, row: int, text: str) -> None:
    axes.annotate(
        text, (ms, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=_GREY
    )  # fmt: skip


def _draw_legend(figure: Figure, found: LayerTimes) -> None:
    from matplotlib.patches import Patch

    def patch(look: FamilyLook) -> Patch:
        ms = sum(layer.ms for layer in found.layers if look_of(layer.kind) == look)
        label = f"{look.title}: {units.percent(found.share(ms))}"
        return Patch(facecolor=look.colour, hatch=look.hatch, edgecolor="white", linewidth=0, label=label)

    entries = [patch(look) for look in looks_of(layer.kind for layer in found.layers)]
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 4), frameon=False, fontsize=8)
