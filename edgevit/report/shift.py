"""Loss under shift, for people."""

from __future__ import annotations

from edgevit import units
from edgevit.report import intervals
from edgevit.report.markdown_text import code, escape, table
from edgevit.results.shift import CorruptionScore, PairedScore, ShiftRecord, shifted_drops

TITLES = ("shift", "float", "file", "change", "interval", "change by severity")
NUMERIC = (1, 2, 3, 4, 5)


def shift_rows(record: ShiftRecord) -> list[tuple[str, ...]]:
    """Returns a row as the images are, one for each corruption (means of its severities), and one for each domain."""
    return [
        _row("none", record.clean),
        *(_corrupted(each) for each in record.corruptions),
        *(_row(each.source, each.score) for each in record.domains),
    ]


def shift_lines(record: ShiftRecord) -> tuple[str, ...]:
    """Returns what has to be known to read the rows, and the largest drop."""
    lines = [
        "float, file: top-1 of the float parent and of the file, mean of the severities; intervals are at 95 %",
        *(f"{each.name}: {', '.join(one.parameter for one in each.severities)}" for each in record.corruptions),
    ]
    worst = max(shifted_drops(record), key=lambda each: each.drop_points, default=None)
    if worst:
        lines.append(f"largest drop under shift: {units.points(worst.drop_points)} ({worst.shift})")
    return tuple(lines)


def shift_section(record: ShiftRecord) -> str:
    """Returns what was compared, the rows as a table, and what has to be known to read them, in Markdown."""
    head = f"Against {code(record.reference)} on {record.clean.samples} images of {escape(record.source)}, seed {record.seed}."
    lines = "\n".join(f"- {escape(line)}" for line in shift_lines(record))
    return "\n\n".join((head, table(TITLES, shift_rows(record), numeric=NUMERIC), lines))


def _row(name: str, score: PairedScore) -> tuple[str, ...]:
    return (
        name,
        units.percent(score.reference_top1),
        units.percent(score.top1),
        units.accuracy_change(score.drop_points),
        intervals.accuracy_change(score.drop_interval),
        "",
    )


def _corrupted(found: CorruptionScore) -> tuple[str, ...]:
    scores = [each.score for each in found.severities]
    return (
        found.name,
        units.percent(sum(each.reference_top1 for each in scores) / len(scores)),
        units.percent(sum(each.top1 for each in scores) / len(scores)),
        units.accuracy_change(found.drop_points),
        intervals.accuracy_change(found.drop_interval),
        ", ".join(units.accuracy_change(each.drop_points).removesuffix(" pt") for each in scores) + " pt",
    )
