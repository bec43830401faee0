"""Tables of layers: where quantization error arises, and where time goes."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit import units
from edgevit.report.table import rows_of
from edgevit.results.layer_times import LayerTimes
from edgevit.results.measurement import HOST
from edgevit.results.run import Run
from edgevit.results.sensitivity import SensitivityReport

_MOST_LAYERS = 40
"""In a table; the plot has all of them."""


@dataclass(frozen=True)
class LayerTable:
    """Rows of text, with what they are."""

    about: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...]
    """Which of the columns are numbers."""


def quantized_table(run: Run) -> LayerTable:
    """Returns what quantization did to each candidate, as its verification tells; without rows where nothing was quantized."""
    rows = tuple(
        (
            str(number),
            candidate.id,
            units.decibels(verification.snr_db),
            units.percent(verification.top1_agreement),
            verification.reference,
            candidate.recipe.summary if candidate.recipe else "–",
            ", ".join(candidate.artifact.float_layers[:4]) or "none" if candidate.artifact else "–",
        )
        for number, candidate in enumerate(rows_of(run), 1)
        if candidate.parent and (verification := candidate.verification)
    )
    about = (
        "The outputs of each artifact against those of the one it was made from, on the same images: the higher the signal to"
        " noise, the less was lost. Layers in float are those that were kept so."
    )
    titles = ("number", "candidate", "signal to noise", "same class", "against", "recipe", "layers in float")
    return LayerTable(about, titles, rows, (0, 2, 3))


def sensitivity_table(report: SensitivityReport) -> LayerTable:
    """Returns the layers by what is lost when each alone is quantized, worst first."""
    rows = tuple(
        (
            layer.module or layer.name,
            layer.kind,
            units.decibels(layer.snr_db),
            units.percent(layer.agreement),
            units.count(layer.macs),
        )
        for layer in report.layers[:_MOST_LAYERS]
    )
    about = (
        f"{report.model}: each layer alone in {report.scheme} with {report.backend}, against the float model on"
        f" {len(report.images.ids)} images of {report.images.source}; all else stays float. Worst first{_shown(len(report.layers))}."
    )
    return LayerTable(about, ("layer", "kind", "signal to noise", "same class", "MACs"), rows, (2, 3, 4))


def layer_time_table(artifact: str, times: LayerTimes) -> LayerTable:
    """Returns the layers of an artifact by the time that each takes, most first."""
    rows = tuple(
        (
            layer.name,
            layer.kind,
            units.milliseconds(layer.ms),
            units.percent(times.share(layer.ms)),
            units.count(layer.macs),
            layer.arithmetic or "–",
        )
        for layer in times.slowest_first[:_MOST_LAYERS]
    )
    where = "measured on this host" if times.device == HOST else f"{times.source} for {times.device}"
    about = (
        f"{f'{artifact}: time' if artifact else 'Time'} of each layer, {where} ({times.unit}): all together {units.milliseconds(times.sum_ms)} of"
        f" {units.milliseconds(times.p50_ms)}. {times.basis}. Most first{_shown(len(times.layers))}."
    )
    return LayerTable(about, ("layer", "kind", "time", "share", "MACs", "arithmetic"), rows, (2, 3, 4))


def _shown(layers: int) -> str:
    return f", {_MOST_LAYERS} of {layers}" if layers > _MOST_LAYERS else ""
