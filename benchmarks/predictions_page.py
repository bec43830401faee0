"""Puts what predictions are worth into docs/predictions.md, from the validation of the last fit.

Usage: python -m benchmarks.predictions_page
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.commands.devices import COMMITTED
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.committed import Committed, Worth
from edgevit.devices.error_correlations import ErrorCorrelations
from edgevit.devices.validation import Score
from edgevit.results.document import from_json

PAGE = Path(__file__).parents[1] / "docs" / "predictions.md"
BEGIN, END = "<!-- validation: begin -->", "<!-- validation: end -->"
CORRELATIONS_BEGIN, CORRELATIONS_END = "<!-- correlations: begin -->", "<!-- correlations: end -->"
_RELATIONS = {"kernels": "unit, runtime and precision", "unit": "the unit", "device": "the device alone"}
_LIKENESS = {"like": "alike", "akin": "of one kind", "unlike": "any others"}
FEWEST = 40
"""Rows of a device and unit that is in the table."""


def table(scores: Sequence[Score]) -> str:
    """Returns the scores of all rows, and of each unit with enough of them, as Markdown."""
    lines = [
        "| device | unit | rows | median error | within 20 % | interval holds | least squares |",
        "|---|---|---|---|---|---|---|",
    ]
    for score in scores:
        if score.n >= FEWEST:
            check = "–" if score.least_squares is None else f"{score.least_squares:.1%}"
            lines.append(
                f"| {score.device} | {score.unit} | {score.n} | {score.median_error:.1%} | {score.within_20:.0%} "
                f"| {score.coverage:.0%} | {check} |"
            )
    return "\n".join(lines)


def others(found: Worth) -> str:
    """Returns the scores of all rows when other things are left out, as Markdown."""
    on_device, device = found.graph_on_device, found.device
    lines = [
        "| the fit did not see, of each row | rows | median error | within 20 % | interval holds | Kendall's tau |",
        "|---|---|---|---|---|---|",
        *(
            f"| {words} | {score.n} | {score.median_error:.1%} | {score.within_20:.0%} | {score.coverage:.0%} "
            f"| {'–' if score.tau is None else f'{score.tau:.3f}'} |"
            for words, score in (
                ("its graph, on any device", found.graph[0]),
                ("its graph on its device", on_device),
                ("its device", device),
            )
        ),
        *(
            f"| its device, but for {score.anchors} anchor{'s' if score.anchors > 1 else ''} | {score.n} "
            f"| {score.median_error:.1%} | {score.within_20:.0%} | {score.coverage:.0%} | |"
            for score in found.anchored
        ),
    ]
    return "\n".join(lines)


def with_table(page: str, found: Worth) -> str:
    """Returns the page with the tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{others(found)}\n\n{table(found.graph)}\n{END}{after}"


def correlations_table(correlations: ErrorCorrelations) -> str:
    """Returns how strongly errors of two predictions for one device correlate, as Markdown."""
    lines = ["| the two have in common | graphs | unit measured | unit not measured |", "|---|---|---|---|"]
    for relation, words in _RELATIONS.items():
        for likeness, graphs in _LIKENESS.items():
            cells = (correlations.values[(regime, relation, likeness)][1] for regime in ("measured", "not measured"))
            lines.append(f"| {words} | {graphs} | {' | '.join(f'{value:.2f}' for value in cells)} |")
    return "\n".join(lines)


def with_correlations(page: str, correlations: ErrorCorrelations) -> str:
    """Returns the page with the table of correlations between its two marks."""
    before, _, rest = page.partition(CORRELATIONS_BEGIN)
    _, _, after = rest.partition(CORRELATIONS_END)
    return f"{before}{CORRELATIONS_BEGIN}\n{correlations_table(correlations)}\n{CORRELATIONS_END}{after}"


def main() -> None:
    """Writes the page."""
    found = from_json(Committed, COMMITTED.read_bytes())
    page = with_table(PAGE.read_text(encoding="utf-8"), found.full)
    PAGE.write_text(with_correlations(page, load_cost_model().correlations), encoding="utf-8")


if __name__ == "__main__":
    main()
