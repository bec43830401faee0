"""Prints what predictions of published measurements are worth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgevit.cli import terminal

if TYPE_CHECKING:
    from edgevit.commands.devices import Validation
    from edgevit.devices.validation import AnchoredScore, Score

_TITLES = ("device", "unit", "n", "median", "mean", "≤ 10 %", "≤ 20 %", "covered", "×/÷", "tau", "least sq.")
_ANCHORED_TITLES = ("anchors", "n", "median", "≤ 20 %", "covered", "×/÷")


def print_validation(found: Validation, fewest: int) -> None:
    """Prints a table of scores, and the rows that could not be predicted by reason.

    Args:
        found: Of a table of measurements.
        fewest: Fewest rows of a device and unit that is shown; all rows together always are.
    """
    shown = [score for score in found.scores if score.n >= fewest or score is found.scores[0]]
    terminal.print_table(_TITLES, [_cells(score) for score in shown], numeric=range(2, len(_TITLES)), wide=True)
    if len(shown) < len(found.scores):
        terminal.print_line(
            f"{len(found.scores) - len(shown)} units with fewer than {fewest} rows are not shown (--rows 1)"
        )
    if found.anchored:
        terminal.print_line("With measurements of other networks of the row's session as anchors:")
        rows = [_anchored_cells(score) for score in found.anchored]
        terminal.print_table(_ANCHORED_TITLES, rows, numeric=range(len(_ANCHORED_TITLES)))
    total = len(found.predictions) + len(found.unmapped)
    terminal.print_line(
        f"The fit did not see {found.left_out}. {len(found.predictions)} of {total} rows were predicted."
    )
    reasons = Counter(row.reason for row in found.unmapped)
    if reasons:
        terminal.print_line("not predicted: " + "; ".join(f"{why} ({count} ×)" for why, count in reasons.most_common()))


def _anchored_cells(score: AnchoredScore) -> tuple[str, ...]:
    return (
        str(score.anchors),
        str(score.n),
        f"{score.median_error:.1%}",
        f"{score.within_20:.0%}",
        f"{score.coverage:.0%}",
        f"{score.interval_factor:.2f}",
    )


def _cells(score: Score) -> tuple[str, ...]:
    return (
        score.device,
        score.unit,
        str(score.n),
        f"{score.median_error:.1%}",
        f"{score.mean_error:.0%}",
        f"{score.within_10:.0%}",
        f"{score.within_20:.0%}",
        f"{score.coverage:.0%}",
        f"{score.interval_factor:.2f}",
        "–" if score.tau is None else f"{score.tau:.2f}",
        "–" if score.least_squares is None else f"{score.least_squares:.1%}",
    )
