"""Bars of layers in the HTML report, drawn by Bokeh: where quantization error arises, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.report.evidence import ArtifactLayers
from edgevit.report.html.panel import COLOURS, Panel, calm
from edgevit.results.measurement import HOST
from edgevit.results.sensitivity import SensitivityReport

if TYPE_CHECKING:
    from bokeh.models import DataRange1d
    from bokeh.plotting import figure as Figure

_HEIGHT = 320
_MOST_BARS = 400
"""Layers in one plot."""


def draw_sensitivity(number: int, report: SensitivityReport) -> tuple[Panel, Figure]:
    """Draws how much noise each layer brings to the outputs when it alone is quantized.

    Args:
        number: Of the plot on its page.
        report: Has at least one layer, the most sensitive first.
    """
    layers = sorted(report.layers, key=lambda layer: layer.position)[:_MOST_BARS]
    known = [layer for layer in layers if layer.snr_db is not None]
    worst = report.layers[0]
    what = f"signal-to-noise ratio of the outputs when one layer alone is in {report.scheme}, {report.backend}"
    description = (
        f"Bars of the {what}, of {len(layers)} layers in the order of the graph. The most sensitive is"
        f" {worst.module or worst.name}, {units.decibels(worst.snr_db)}. The table has the layers."
    )
    columns: dict[str, list[Any]] = {
        "x": [layer.position for layer in known],
        "top": [layer.snr_db for layer in known],
        "name": [units.visible(layer.module or layer.name) for layer in known],
        "kind": [layer.kind for layer in known],
        "text": [units.decibels(layer.snr_db) for layer in known],
        "more": [units.percent(layer.agreement) for layer in known],
    }
    tips = [("layer", "@name"), ("kind", "@kind"), ("signal to noise", "@text"), ("same class", "@more")]
    plot = _bars(columns, "layer, in the order of the graph", "SNR of the outputs, dB (short is worse)", tips)
    return Panel(f"sensitivity-{number}", f"Quantization error by layer: {what}", description, ()), plot


def draw_layer_times(number: int, found: ArtifactLayers) -> tuple[Panel, Figure]:
    """Draws the time of each layer of an artifact.

    Args:
        number: Of the plot on its page.
        found: Has at least one layer.
    """
    times = found.times
    layers = times.layers[:_MOST_BARS]
    where = f"{times.source} on {'this host' if times.device == HOST else times.device}"
    slowest = times.slowest_first[0]
    description = (
        f"Bars of the time of each of {len(layers)} layers, {where}. The longest is {slowest.name} with"
        f" {units.milliseconds(slowest.ms)}. The table has the layers."
    )
    columns: dict[str, list[Any]] = {
        "x": list(range(len(layers))),
        "top": [layer.ms for layer in layers],
        "name": [units.visible(layer.name) for layer in layers],
        "kind": [units.visible(layer.kind) for layer in layers],
        "text": [units.milliseconds(layer.ms) for layer in layers],
        "more": [units.percent(times.share(layer.ms)) for layer in layers],
    }
    tips = [("layer", "@name"), ("kind", "@kind"), ("time", "@text"), ("share", "@more")]
    plot = _bars(columns, "layer, in the order in which they run", f"ms, {times.source}", tips)
    return Panel(
        f"layer-times-{number}",
        f"{f'{found.artifact}: time' if found.artifact else 'Time'} of each layer, {where}",
        description,
        (),
    ), plot


def _bars(columns: dict[str, list[Any]], across: str, up: str, tips: list[tuple[str, str]]) -> Figure:
    from bokeh.models import ColumnDataSource, DataRange1d, HoverTool, PlainText
    from bokeh.plotting import figure

    heights: DataRange1d = DataRange1d(start=0) if min(columns["top"], default=0.0) >= 0 else DataRange1d()
    plot = figure(
        height=_HEIGHT, sizing_mode="stretch_width", output_backend="svg", tools="xpan,xbox_zoom,xwheel_zoom,reset",
        active_drag=None, active_scroll=None, toolbar_location="above", y_range=heights,
    )  # fmt: skip
    bars = plot.vbar(
        x="x", top="top", width=0.8, source=ColumnDataSource(columns), color=COLOURS[0], hover_color=COLOURS[1]
    )
    plot.add_tools(HoverTool(renderers=[bars], tooltips=tips))
    plot.xaxis.axis_label, plot.yaxis.axis_label = PlainText(across), PlainText(up)
    calm(plot)
    return plot
