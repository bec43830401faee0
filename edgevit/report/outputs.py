"""Each output of the candidates of a model that is no classifier, beside what it was compared with."""

from __future__ import annotations

from edgevit import units
from edgevit.report.markdown_text import section
from edgevit.report.table import rows_of
from edgevit.results.run import Run

TITLES = ("candidate", "output", "shape", "SNR", "cosine", "max rel diff", "against")
NUMERIC = (3, 4, 5)
"""Which of the columns are numbers."""


def output_rows(run: Run) -> list[tuple[str, ...]]:
    """Returns a row for each output of each verified candidate, in the order of the candidates' table; none for a classifier."""
    return [
        (
            candidate.id,
            output.name,
            " x ".join(map(str, output.shape)) or "one value",
            units.decibels(output.snr_db),
            f"{output.cosine:.5f}",
            f"{output.max_rel_diff:.1e}",
            candidate.verification.reference,
        )
        for candidate in rows_of(run)
        if candidate.verification
        for output in candidate.verification.outputs
    ]


def outputs_section(run: Run) -> str:
    """Returns the section of the report; "" for a classifier."""
    return section("Outputs", TITLES, output_rows(run), NUMERIC)
