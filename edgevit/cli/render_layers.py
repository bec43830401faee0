"""Where the time of one inference goes, layer by layer, as text on stdout and as a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from edgevit.results.layer_times import LayerTime, LayerTimes

_MOST_LAYERS = 15
"""Shown one by one, unless all are asked for."""
_LEAST_OF_BEST = 0.7
"""Share of the fastest run that the shortest times of the layers have to be, for nothing to be said."""
_MOST_LETTERS = 32
"""Of a name in 80 columns; what is longer loses its middle, for names of one network begin and end differently."""


def print_layer_times(name: str, found: LayerTimes, *, wide: bool = False) -> None:
    """Prints the time by op family, the slowest layers, and how their sum compares with the whole inference.

    Args:
        name: Of the artifact.
        found: Its layers.
        wide: Whether every layer is shown, in the order in which they run, with all that is known of it.
    """
    families = [
        (kind.kind.replace("_", " "), str(kind.count), units.milliseconds(kind.ms), units.percent(kind.share))
        for kind in found.kinds
    ]
    print_table((name, "layers", f"time, {found.source}", "share"), families, numeric=(1, 2, 3))
    print_line()
    if wide:
        _print_all(found)
    else:
        _print_slowest(found)
    print_line(_sum(found))
    if found.fastest_ms is not None and found.sum_ms < _LEAST_OF_BEST * found.fastest_ms:
        print_line(
            "the layers are far less than the whole: other work ran here, or the runtime spends time between them"
        )
    print_line(found.basis if found.source == "predicted" else f"measured by {found.basis}")
    if found.source == "predicted":
        print_line(
            "only the whole is fitted to measurements; how it divides into layers follows from the costs of op families"
        )


def layer_times_document(found: LayerTimes) -> dict[str, Any]:
    """Returns the layers as a JSON document that is read back as they are, with sums, shares and rates beside."""
    from edgevit.results.document import to_document

    document = to_document(found)
    for layer, values in zip(found.layers, document["layers"], strict=True):
        values["share"] = found.share(layer.ms)
        values["operations_per_second"] = layer.operations_per_second
        values["intensity"] = layer.intensity
    kinds = [to_document(kind) for kind in found.kinds]
    return {**document, "sum_ms": found.sum_ms, "share_of_p50": found.share_of_p50, "kinds": kinds}


def show_measured(artifact: Path, found: LayerTimes, pictures: tuple[Path, ...], *, wide: bool) -> None:
    """Prints the layers of an artifact as measured on this host, and where their pictures are."""
    print_layer_times(artifact.name, found, wide=wide)
    print_pictures(pictures)


def print_pictures(files: tuple[Path, ...]) -> None:
    """Prints where the pictures are."""
    for file in files:
        print_line(f"picture: {file}")


def _print_slowest(found: LayerTimes) -> None:
    places = {id(layer): place for place, layer in enumerate(found.layers, start=1)}
    slowest = found.slowest_first[:_MOST_LAYERS]
    rows = [
        (
            _short(layer.name),
            str(places[id(layer)]),
            layer.kind.replace("_", " "),
            units.milliseconds(layer.ms),
            units.percent(found.share(layer.ms)),
            _rate(layer),
        )
        for layer in slowest
    ]
    left = found.slowest_first[_MOST_LAYERS:]
    if left:
        rest = sum(layer.ms for layer in left)
        cells = (units.milliseconds(rest), units.percent(found.share(rest)))
        rows.append((f"the other {len(left)}", "", "", *cells, ""))
    print_table(("slowest layer", "place", "family", "time", "share", "GOP/s"), rows, numeric=(1, 3, 4, 5))
    if left:
        print_line("every layer: --wide, or --json")


def _print_all(found: LayerTimes) -> None:
    rows = [
        (
            str(place),
            layer.name,
            layer.kind.replace("_", " "),
            units.milliseconds(layer.ms),
            units.percent(found.share(layer.ms)),
            units.count(layer.macs),
            units.size(layer.moved_bytes),
            "–" if layer.intensity is None else f"{layer.intensity:.3g}",
            _rate(layer),
            layer.arithmetic or "–",
            layer.native,
        )
        for place, layer in enumerate(found.layers, start=1)
    ]
    titles = (
        "place", "layer", "family", "time", "share", "MACs", "moved", "operations/byte", "GOP/s", "computes in", "op",
    )  # fmt: skip
    print_table(titles, rows, numeric=(0, 3, 4, 5, 6, 7, 8), wide=True)


def _rate(layer: LayerTime) -> str:
    rate = layer.operations_per_second
    if rate is None:
        return "–"
    return f"{rate / 1e9:.3g}" if rate < 1e12 else f"{rate / 1e9:,.0f}"


def _short(name: str) -> str:
    if len(name) <= _MOST_LETTERS:
        return name
    end = (_MOST_LETTERS - 1) // 2
    return f"{name[: _MOST_LETTERS - 1 - end]}…{name[-end:]}"


def _sum(found: LayerTimes) -> str:
    whole = f"p50 {units.milliseconds(found.p50_ms)}"
    if found.fastest_ms is not None:
        whole = f"without the profiler {whole}, {units.milliseconds(found.fastest_ms)} at best"
    share = units.percent(found.share_of_p50, 0)
    left = ""
    if found.source == "predicted" and found.share_of_p50 < 1:
        left = f"; the other {units.milliseconds(found.p50_ms - found.sum_ms)} are a constant of the runtime"
    counted = "1 layer" if len(found.layers) == 1 else f"{len(found.layers)} layers"
    return f"sum of {counted}: {units.milliseconds(found.sum_ms)}, {share} of the whole run ({whole}){left}"
