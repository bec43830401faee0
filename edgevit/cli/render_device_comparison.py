"""Predictions for a device beside what was measured on it, as text on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from edgevit.results.device_comparison import ComparedPrediction, DeviceComparison

_TITLES = ("artifact", "unit", "measured p50", "predicted p50", "80 % interval", "measured / predicted", "")


def print_device_comparison(found: DeviceComparison) -> None:
    """Prints each artifact, and how far off the predictions are together."""
    print_table(_TITLES, [_row(each) for each in found.files], numeric=(2, 3, 4, 5))
    print_line()
    if found.median_error is None or found.median_ratio is None:
        print_line(f"nothing could be predicted for {found.device}")
    else:
        print_line(
            f"{found.device}: {units.percent(found.median_error)} off in the median, measured / predicted {units.ratio(found.median_ratio)};"
            f" {found.inside} of {found.predicted} inside the predicted interval"
        )
    for basis in dict.fromkeys(each.basis for each in found.files):
        print_line(f"basis: {basis}")


def _row(each: ComparedPrediction) -> tuple[str, ...]:
    predicted = each.predicted_ms
    if predicted is None:
        return each.artifact, each.unit, units.milliseconds(each.measured_ms), "–", "–", "–", "not predicted"
    return (
        each.artifact,
        each.unit,
        units.milliseconds(each.measured_ms),
        units.milliseconds(predicted.p50),
        f"{units.milliseconds(predicted.low)} to {units.milliseconds(predicted.high)}",
        units.ratio(each.ratio),
        "inside" if each.inside else "outside",
    )
