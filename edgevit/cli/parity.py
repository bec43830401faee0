"""``edgevit parity``: whether two result sets give the same outputs for the same images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from edgevit.cli import options
from edgevit.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from edgevit.results.parity import MatchedBy, Parity

_MATCHES = ("content", "name", "position")
_ABOVE_ALL = math.nextafter(100.0, math.inf)
"""First percentage that no share has."""
_ROUNDING = 1e-12
"""Of a percentage that was divided by 100."""


def parity(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="The reference: an .npz of eval --save-outputs, its JSON document, or an .npz of your own.",
            show_default=False,
        ),
    ],
    second: Annotated[Path, typer.Argument(metavar="B", help="What is held against it.", show_default=False)],
    match: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_MATCHES),
            rich_help_panel=options.IMAGES,
            help="By what an image of A is one of B; by content where both have its digest, else by name.",
            show_default=False,
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            rich_help_panel=options.IMAGES,
            help="Leave out images that only one has; they are refused when not given.",
        ),
    ] = False,
    min_agreement: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            rich_help_panel=options.CHOICE,
            help="Exit 1 if fewer images have the same top-1 class, such as 98%.",
            show_default=False,
        ),
    ] = None,
    min_snr: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            rich_help_panel=options.CHOICE,
            help="Exit 1 if the signal-to-noise ratio of the outputs is lower, in dB.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare the outputs of two evaluations image by image.

    Such as of one file on this machine and on a board, or of a float file and its int8 one: on how many images the top-1 class is the
    same (with a 95 % interval), which flipped and in which direction (McNemar's exact test), differences, SNR and KL divergence. Images
    are matched by the SHA-256 of their content, else by name; what cannot be matched is refused and named. Other classes are refused,
    another model, preprocessing or runtime is said.

    \b
    Examples:
      edgevit eval model.tflite --data val/ --save-outputs here.npz
      edgevit parity here.npz board.npz --min-agreement 98% --min-snr 25
    """
    from edgevit.cli import render_parity, terminal
    from edgevit.cli.gate_measure import parse_percent
    from edgevit.commands.parity import ParityQuestion, compare_results
    from edgevit.results.document import to_document

    if match is not None:
        options.check_choice("match", match, _MATCHES)
    least = None if min_agreement is None else parse_percent("--min-agreement", min_agreement, _ABOVE_ALL)
    if min_snr is not None and not math.isfinite(min_snr):
        raise UsageError(f"--min-snr {min_snr} is not a number of dB", "such as 25")
    found = compare_results(ParityQuestion(first, second, cast("MatchedBy | None", match), allow_missing))
    if as_json:
        terminal.print_json(to_document(found))
    else:
        render_parity.print_parity(found)
    failed = list(_failed(found, least, min_snr))
    if failed:
        raise CheckFailed(
            "; ".join(failed), "edgevit eval --reference and edgevit sensitivity tell which outputs and layers"
        )


def _failed(found: Parity, least_agreement: float | None, least_snr: float | None) -> list[str]:
    """What is below its limit."""
    from edgevit import units

    failed = []
    if least_agreement is not None and found.top1_agreement < least_agreement - _ROUNDING:
        percent = units.percent(found.top1_agreement, 2)
        failed.append(f"top-1 agreement {percent} is below --min-agreement {units.percent(least_agreement)}")
    if least_snr is not None and found.snr_db is not None and not found.snr_db >= least_snr:
        failed.append(f"SNR {units.decibels(found.snr_db)} is below --min-snr {least_snr:g}")
    return failed
