"""The picture of layer sensitivity: one bar per layer, quantized alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.run.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from edgevit.results.sensitivity import LayerSensitivity, SensitivityReport

# Okabe and Ito's colour-blind-safe palette; the hatch carries the same information.
_LOOKS = {"linear": ("#0072B2", ""), "conv": ("#E69F00", "////"), "depthwise_conv": ("#009E73", "....")}
_OTHER = ("#CC79A7", "xxxx")
_GREY = "#555555"
_LOSS = "#A03C00"
_ROW_INCHES = 0.17
_MOST_LETTERS = 40
"""Of a layer's label; longer names are cut so that the bars keep their width."""
_AROUND_INCHES = 1.7
"""Height of the title, the axis and the legend."""


@draws_plain_text
def draw_layers(report: SensitivityReport, path: Path) -> None:
    """Draws one bar per layer as PNG, atomically.

    Layers are in graph order from the top. The length of a bar is the signal-to-noise ratio of the logits, so the
    shortest bars are the most sensitive layers; the number beside it is the top-1 agreement.

    Args:
        report: Sensitivity of at least one layer.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers = sorted(report.layers, key=lambda layer: layer.position)
    height = _AROUND_INCHES + _ROW_INCHES * len(layers)
    figure = Figure(figsize=(9, height), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_bars(axes, layers)
    _set_axes(axes, report, layers)
    _draw_legend(axes, layers)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _draw_bars(axes: Axes, layers: list[LayerSensitivity]) -> None:
    for row, layer in enumerate(layers):
        colour, hatch = _LOOKS.get(layer.kind, _OTHER)
        decibels = layer.snr_db or 0.0
        axes.barh(row, decibels, height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        changed = layer.agreement is not None and layer.agreement < 1
        known = units.decibels(layer.snr_db) if layer.agreement is None else units.percent(layer.agreement)
        axes.annotate(
            "unchanged" if layer.snr_db is None else known,
            (max(decibels, 0.0), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=_LOSS if changed else _GREY,
            fontweight="bold" if changed else "normal",
        )


def _set_axes(axes: Axes, report: SensitivityReport, layers: list[LayerSensitivity]) -> None:
    axes.set_title(
        f"{report.model}: each layer alone in {report.scheme}, {report.backend}\n"
        f"against the float model on {len(report.images.ids)} images of {report.images.source}",
        loc="left",
        fontsize=10,
    )
    axes.set_yticks(range(len(layers)), [_label(layer) for layer in layers], fontsize=7)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    known = [layer.snr_db for layer in layers if layer.snr_db is not None]
    low, high = min([0.0, *known]), max([0.0, *known]) or 1.0
    axes.set_xlim(low * 1.05, high * 1.14)
    what = "the outputs" if any(layer.agreement is None for layer in layers) else "the logits"
    beside = "" if what == "the outputs" else "; beside it the top-1 agreement"
    axes.set_xlabel(f"signal-to-noise ratio of {what}, dB (shorter: more sensitive){beside}", fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _label(layer: LayerSensitivity) -> str:
    """The module path, or the op's name where the module is not known; long ones are cut."""
    name = layer.module or layer.name
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def _draw_legend(axes: Axes, layers: list[LayerSensitivity]) -> None:
    from matplotlib.patches import Patch

    entries = []
    for kind in dict.fromkeys(layer.kind for layer in layers):
        colour, hatch = _LOOKS.get(kind, _OTHER)
        entries.append(
            Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=kind.replace("_", " "))
        )
    figure = axes.get_figure()
    assert figure is not None, "axes belong to a figure"
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=8)
