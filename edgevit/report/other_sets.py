"""Accuracy on the further evaluation sets of a run beside that on the first, which chooses."""

from __future__ import annotations

from edgevit.report.markdown_text import table
from edgevit.report.metric import change_interval, change_text, judge_title, score_interval, score_text
from edgevit.report.table import rows_of
from edgevit.results.metric import MetricScore
from edgevit.results.run import Run


def other_set_titles(run: Run) -> tuple[str, ...]:
    """Returns the titles of the columns of :func:`other_set_rows`."""
    return ("candidate", "images of", judge_title(run), "interval", "change", "interval")


def other_set_rows(run: Run) -> list[tuple[str, ...]]:
    """Returns a row for each candidate and each set, the first set first; none for a run with a single one.

    Candidates that were rejected or failed before were not run over the further sets.
    """
    first = run.evaluation.source if run.evaluation else ""
    rows = [("original, PyTorch", each.source, *_cells(each.accuracy.judged)) for each in run.baseline.other_sets]
    rows = [("original, PyTorch", first, *_cells(_original(run))), *rows] if rows else []
    for candidate in rows_of(run):
        if candidate.other_sets:
            judged = candidate.accuracy.judged if candidate.accuracy else None
            rows.append((candidate.id, first, *_cells(judged)))
            rows += [(candidate.id, each.source, *_cells(each.accuracy.judged)) for each in candidate.other_sets]
    return rows


def other_sets_section(run: Run) -> str:
    """Returns the section of the report; "" where a run has a single evaluation set."""
    rows = other_set_rows(run)
    if not rows:
        return ""
    explained = (
        "Candidates are judged and chosen on the first set alone; the change is against the float model on the same images."
        " What was rejected or failed before was not run over the other sets."
    )
    return f"## Other evaluation sets\n\n{table(other_set_titles(run), rows, range(2, 6))}\n\n{explained}"


def _original(run: Run) -> MetricScore | None:
    """What the original model has on the first set."""
    base = run.baseline
    if base.metric or base.top1 is None:
        return base.metric
    return MetricScore("top1", "%", base.top1, None, base.top1_interval)


def _cells(score: MetricScore | None) -> tuple[str, ...]:
    return score_text(score), score_interval(score), change_text(score), change_interval(score)
