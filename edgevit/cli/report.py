"""``edgevit report``: shows a run and writes its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its run.json.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=options.OUTPUT, help="Where to write; the run folder when not given."
        ),
    ] = None,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Show a run, and write its report with pictures.

    Prints the run as `edgevit compress` does; report.md and its pictures have all of it.

    \b
    Examples:
      edgevit report run --out report
      edgevit report run --wide
    """
    from edgevit.cli import render, terminal
    from edgevit.data.output_place import check_output_place
    from edgevit.report import PICTURE, write_report
    from edgevit.results.run import load_run
    from edgevit.run.packages import is_installed

    folder = out or (run if run.is_dir() else run.parent)
    check_output_place(folder)
    loaded = load_run(run)
    path = write_report(loaded, folder)
    if not is_installed("matplotlib"):
        terminal.print_message("report without pictures: matplotlib is not installed; pip install 'edgevit[report]'")
    elif f"({PICTURE})" not in path.read_text(encoding="utf-8"):
        terminal.print_message("report without a picture: no candidate was measured")
    if as_json:
        terminal.print_json({"run": str(run), "report": str(path)})
        return
    render.print_run(loaded, wide=wide)
    terminal.print_line(f"report: {path}")
