"""How far two result sets agree, as text on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli.terminal import console, print_line, print_table
from edgevit.units import visible

if TYPE_CHECKING:
    from edgevit.results.parity import ComparedSet, Parity


def print_parity(found: Parity) -> None:
    """Prints the two, their agreement and differences, the images that flipped, and what else differs."""
    from edgevit.report import intervals
    from edgevit.report.changes import accuracy_lines

    out = console()
    for name, each in (("A", found.first), ("B", found.second)):
        out.print(visible(f"{name}: {_described(each)}"))
    print_line()
    accuracy = found.accuracy
    rows = [
        ("images in both", f"{found.samples}, by {found.matched_by}"),
        ("same top-1 class", units.percent(found.top1_agreement, 2)),
        ("  95 % interval", intervals.percent(found.top1_agreement_interval)),
        *([] if accuracy.top1_before is None else [("top-1 of A", units.percent(accuracy.top1_before))]),
        *([] if accuracy.top1_after is None else [("top-1 of B", units.percent(accuracy.top1_after))]),
        ("largest difference", f"{found.max_abs_diff:.3g}"),
        ("median difference", f"{found.median_abs_diff:.3g}"),
        ("SNR", units.decibels(found.snr_db)),
        ("KL divergence", "–" if found.kl_divergence is None else f"{found.kl_divergence:.3g} nats"),
    ]
    print_table(("", "B against A"), rows, numeric=(1,))
    print_line()
    for line in (*accuracy_lines(accuracy), *_missing(found), *(f"note: {note}" for note in found.notes)):
        out.print(visible(line.replace("\n", " ")))


def _described(each: ComparedSet) -> str:
    origin = each.origin
    if origin is None:
        return f"{each.given}, {each.images} images, {each.outputs} outputs"
    return (
        f"{each.given}: {origin.artifact} in {origin.runtime} ({origin.delegate}, {origin.precision}) on {origin.host},"
        f" {each.images} images of {origin.images}"
    )


def _missing(found: Parity) -> list[str]:
    sets = (("A", found.first), ("B", found.second))
    return [f"not in {name}: {', '.join(each.missing)}" for name, each in sets if each.missing]
