"""Loss under shift as text on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit.cli.terminal import console, print_table
from edgevit.units import visible

if TYPE_CHECKING:
    from edgevit.results.shift import ShiftRecord


def print_shift(name: str, record: ShiftRecord) -> None:
    """Prints what a file loses against its float parent: a row as the images are, for each corruption, and for each domain.

    Args:
        name: Of the file.
        record: What was found out.
    """
    from edgevit.report.shift import NUMERIC, TITLES, shift_lines, shift_rows

    out = console()
    head = f"{name} against {record.reference}, {record.clean.samples} images of {record.source}, seed {record.seed}"
    out.print(visible(head))
    print_table(TITLES, shift_rows(record), numeric=NUMERIC, ranks=(0, 0, 0, 0, 0, 1))
    for line in shift_lines(record):
        out.print(visible(line))
