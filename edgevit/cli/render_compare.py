"""What changed from one artifact to another, as text on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit.cli.terminal import console, print_line, print_table
from edgevit.units import visible

if TYPE_CHECKING:
    from edgevit.results.changes import Changes


def print_changes(found: Changes) -> None:
    """Prints the two, a table of their numbers, and what else changed or could not be compared."""
    from edgevit.report.changes import NUMERIC, TITLES, change_lines, change_rows

    out = console()
    out.print(visible(f"A: {found.before.name}"))
    out.print(visible(f"B: {found.after.name}"))
    print_line()
    print_table(TITLES, change_rows(found), numeric=NUMERIC)
    print_line()
    for line in change_lines(found):
        out.print(visible(line.replace("\n", " ")))
