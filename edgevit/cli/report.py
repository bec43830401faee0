"""``edgevit report``: writes the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its run.json.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; the run folder when not given.")
    ] = None,
) -> None:
    """Write a run's report, with a picture.

    Makes report.md and report.png and prints the path of the first.

    \b
    Example:
      edgevit report run --out report
    """
    from edgevit.cli import terminal
    from edgevit.data.output_place import check_output_place
    from edgevit.report import PICTURE, write_report
    from edgevit.results.run import load_run
    from edgevit.run.packages import is_installed

    folder = out or (run if run.is_dir() else run.parent)
    check_output_place(folder)
    path = write_report(load_run(run), folder)
    if not is_installed("matplotlib"):
        terminal.print_message("report without pictures: matplotlib is not installed; pip install 'edgevit[report]'")
    elif f"({PICTURE})" not in path.read_text(encoding="utf-8"):
        terminal.print_message("report without a picture: no candidate was measured")
    terminal.print_line(str(path))
