"""Prints what a search found, or would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli import terminal

if TYPE_CHECKING:
    from edgevit.results.search import Search
    from edgevit.search.dry_run import PlannedSearch


def print_search(search: Search, folder: Path) -> None:
    """Prints the front as a table, why the search ended, and where everything is."""
    from edgevit.report.search import point_row

    rows = [list(point_row(search, point)) for point in search.on_front]
    if rows:
        terminal.print_table(["point", "status", "change", "p50", "size"], rows, numeric=(2, 3, 4))
    counts = {status: sum(point.status == status for point in search.points) for status in ("predicted", "not run")}
    terminal.print_line(
        f"{search.budget.trials} candidates made in {search.budget.minutes:.1f} min, {len(search.front)} on the front;"
        f" {counts['predicted']} predicted, {counts['not run']} not run (dominated by prediction)"
    )
    terminal.print_line(f"ended: {search.ended}")
    for model in search.models:
        if model.additivity and not model.additivity.holds:
            terminal.print_line(f"{model.name}: {model.additivity.note}")
    if search.infeasible:
        terminal.print_line(search.infeasible.words)
    terminal.print_line(f"report: {folder / 'report.md'}")


def print_plan(planned: PlannedSearch) -> None:
    """Prints what a search would look at."""
    for model in planned.models:
        terminal.print_line(
            f"{model.name}: {model.points} points without choices of layers, {model.plans} token plans and sizes;"
            f" {model.single_changes} single changes measured first, about {model.minutes_before:.1f} min"
        )
        for struck in model.struck:
            terminal.print_line(f"  struck out: {struck.what}: {struck.reason}")
    terminal.print_line(
        f"about {planned.candidates} candidates, {planned.minutes:.0f} min with {planned.jobs} jobs,"
        f" {units.size(planned.disk_bytes)} on disk"
    )
