"""``edgevit card``: the model card of an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def card(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, its run.json, or a file of a run.", show_default=False)
    ],
    candidate: options.Candidate = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="NAME",
            rich_help_panel=options.OUTPUT,
            help="Licence of the artifact, such as apache-2.0; it is not guessed.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            help="Where to write, such as README.md; printed when not given.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write a model card from what a run found out.

    Markdown with the metadata that Hugging Face reads: intended use, accuracy with intervals, latency with conditions,
    quantization, calibration hashes, limits. Nothing in it is written by hand but the licence.

    \b
    Example:
      edgevit card run --license apache-2.0 --out README.md
    """
    from dataclasses import asdict

    from edgevit.cli import terminal
    from edgevit.commands.card import make_card, write_card

    made = make_card(run, candidate, licence)
    if out is not None:
        write_card(made, out)
    if as_json:
        terminal.print_json({**asdict(made), "out": None if out is None else str(out)})
    elif out is not None:
        terminal.print_line(str(out))
    else:
        terminal.print_line(made.text.rstrip())
