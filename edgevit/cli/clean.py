"""``edgevit clean``: removes what ended runs no longer need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def clean(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of ended runs.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """Remove the working files of ended runs.

    Artifacts, results, reports and logs stay. Exit 2, and nothing is removed, if one is not a run folder, is in use, or its run has not ended.

    \b
    Example:
      edgevit clean runs/*
    """
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.commands.clean import clean_runs
    from edgevit.results.document import to_document

    cleaned = clean_runs(runs)
    if as_json:
        terminal.print_json([to_document(run) for run in cleaned])
        return
    for run in cleaned:
        terminal.print_line(f"{run.path}: {units.size(run.freed_bytes)} freed, {units.size(run.left_bytes)} left")
