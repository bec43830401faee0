"""The accuracy of every candidate in full: intervals, calibration error, and the classes that changed."""

from __future__ import annotations

from edgevit import units
from edgevit.report import intervals
from edgevit.report.markdown_text import code, table
from edgevit.report.table import has_labels, rows_of
from edgevit.results.candidate import Accuracy, ChangedClass
from edgevit.results.run import Run

_CLASSES_SHOWN = 5


def accuracy_section(run: Run) -> str:
    """Returns the section of the report; "" where there are no labels."""
    if not has_labels(run):
        return ""
    found = [(candidate, accuracy) for candidate in rows_of(run) if (accuracy := candidate.accuracy)]
    base = run.baseline
    original = (
        "original, PyTorch", units.percent(base.top1), intervals.percent(base.top1_interval), units.percent(base.top5),
        "–", "–", _error(base.ece), "–",
    )  # fmt: skip
    rows = [(candidate.id, *_cells(accuracy)) for candidate, accuracy in found]
    titles = ("candidate", "top-1", "interval", "top-5", "change", "interval", "ECE", "same class as the original")
    parts = ["## Accuracy", table(titles, (original, *rows), range(1, 8)), _LEGEND]
    changed = [(candidate.id, _classes(accuracy.changed_classes)) for candidate, accuracy in found]
    if any(text for _, text in changed):
        shown = [row for row in changed if row[1]]
        parts += ["Classes that changed most, as recognized images before → after of all of the class:"]
        parts += [table(("candidate", "class: images"), shown, ())]
    files = [file for file in (base.top1_file, *(candidate.top1_file for candidate, _ in found)) if file]
    if files:
        parts.append(f"The answer to each image is in {', '.join(map(code, files))}.")
    return "\n\n".join(parts)


_LEGEND = (
    "Intervals are at 95 %: of top-1 Wilson's, of the change Newcombe's for paired proportions, from the images that are"
    " recognized by one of the two models alone. ECE is the expected calibration error over 15 bins: how far the model's"
    " confidence is from its accuracy."
)


def _cells(accuracy: Accuracy) -> tuple[str, ...]:
    return (
        units.percent(accuracy.top1),
        intervals.percent(accuracy.top1_interval),
        units.percent(accuracy.top5),
        units.accuracy_change(accuracy.drop_points),
        intervals.accuracy_change(accuracy.drop_interval),
        _error(accuracy.ece),
        units.percent(accuracy.agreement),
    )


def _error(ece: float | None) -> str:
    return "–" if ece is None else f"{ece:.3f}"


def _classes(changed: tuple[ChangedClass, ...]) -> str:
    shown = ", ".join(
        f"{each.label}: {round(each.top1_before * each.images)} → {round(each.top1_after * each.images)} of {each.images}"
        for each in changed[:_CLASSES_SHOWN]
    )
    return f"{shown} …" if len(changed) > _CLASSES_SHOWN else shown
