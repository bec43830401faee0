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
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            help="JSON of sensitivity, explain or profile --layers, to show in report.html; may be repeated.",
        ),
    ] = None,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Show a run, and write its report.

    Prints the run as `edgevit compress` does. report.html has all of it with interactive plots, in one file to open or send;
    report.md and its pictures have the choice, the front and ten candidates, for terminals and pull requests.

    \b
    Examples:
      edgevit report run --out report
      edgevit report run --wide
      edgevit report run --evidence layers/sensitivity.json
    """
    from edgevit.cli import render, terminal
    from edgevit.data.output_place import check_output_place
    from edgevit.errors import UsageError
    from edgevit.report import PAGE, PICTURE, write_report
    from edgevit.report.evidence import load_evidence
    from edgevit.report.html.page import NEEDS
    from edgevit.results.run import load_run
    from edgevit.run.packages import is_installed

    folder = out or (run if run.is_dir() else run.parent)
    check_output_place(folder)
    loaded, found = load_run(run), load_evidence(evidence or ())
    missing = [name for name in NEEDS if not is_installed(name)]
    if missing and evidence:
        raise UsageError(f"--evidence needs {' and '.join(missing)}", "pip install 'edgevit[report]'")
    path = write_report(loaded, folder, None if missing else found)
    page = None if missing else folder / PAGE
    if missing:
        terminal.print_message(f"report without {PAGE}: {missing[0]} is not installed; pip install 'edgevit[report]'")
    if not is_installed("matplotlib"):
        terminal.print_message("report without pictures: matplotlib is not installed; pip install 'edgevit[report]'")
    elif f"({PICTURE})" not in path.read_text(encoding="utf-8"):
        terminal.print_message("report without a picture: no candidate was measured")
    if as_json:
        terminal.print_json({"run": str(run), "report": str(path), "page": str(page) if page else None})
        return
    render.print_run(loaded, wide=wide)
    terminal.print_line(f"report: {page or path}")
