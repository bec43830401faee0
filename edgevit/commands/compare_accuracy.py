"""The answers of two artifacts to the same images: which flipped, and whether one is better than the other."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.results.changes import AccuracyChange, Flip
from edgevit.results.measurement import Interval
from edgevit.results.proportions import PairedCounts, paired_difference_interval
from edgevit.run.files import leaves_folder
from edgevit.run.packages import is_installed

_COLUMNS = ["id", "label", "top1", "probability"]


@dataclass(frozen=True)
class ImageAnswer:
    """What one artifact answers to one image."""

    image: str
    label: int | None
    top1: int


def read_stored_answers(folder: Path, name: str) -> tuple[ImageAnswer, ...]:
    """Reads the answers that a run keeps.

    Args:
        folder: Of the run.
        name: Of the CSV file in it, see :func:`edgevit.artifacts.accuracy.write_top1`.

    Raises:
        UsageError: the file is outside the folder, missing, or damaged.
    """
    path = folder / name
    hint = "copy the whole run folder, or name the two files and --data"
    if leaves_folder(name):
        raise UsageError(f"{name} is outside the run folder {folder}", hint)
    try:
        return _answers(path.read_bytes().decode())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", hint) from error
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{path} does not hold the answers of a candidate: {error}", hint) from error


def _answers(text: str) -> tuple[ImageAnswer, ...]:
    """Reads the CSV; raises ValueError, or csv.Error, where it is damaged."""
    columns, *rows = list(csv.reader(io.StringIO(text), strict=True)) or [[]]
    if columns != _COLUMNS:
        raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
    return tuple(_answer(row) for row in rows)


def _answer(row: Sequence[str]) -> ImageAnswer:
    if len(row) != len(_COLUMNS):
        raise ValueError(f"a row has {len(row)} values, not {len(_COLUMNS)}")
    name, label, top1, _ = row
    return ImageAnswer(name, int(label) if label else None, int(top1))


def why_not_the_same_images(before: Sequence[ImageAnswer], after: Sequence[ImageAnswer]) -> str | None:
    """Returns in which way two sets of answers are to different images; None where they are to the same."""
    one, other = ({each.image: each.label for each in answers} for answers in (before, after))
    if not one or not other:
        return "there are no images"
    if one.keys() != other.keys():
        shared = len(one.keys() & other.keys())
        return f"the images differ: {len(one)} and {len(other)}, of which {shared} are of one name"
    if one != other:
        count = sum(one[name] != other[name] for name in one)
        return f"the labels of {count} of {len(one)} images differ"
    return None


def accuracy_change(source: str, before: Sequence[ImageAnswer], after: Sequence[ImageAnswer]) -> AccuracyChange:
    """Compares the answers of two artifacts to the same images.

    Args:
        source: Of the images.
        before: Of the first, at least one.
        after: Of the second, to images of the same names and labels in any order.
    """
    answers = {each.image: each.top1 for each in after}
    flips = tuple(
        Flip(each.image, each.label, each.top1, answers[each.image])
        for each in before
        if each.top1 != answers[each.image]
    )
    total = len(before)
    if any(each.label is None for each in before):
        return AccuracyChange(source, total, None, None, None, None, 0, 0, None, flips)
    hits = sum(each.top1 == each.label for each in before)
    lost = sum(each.before == each.label for each in flips)
    gained = sum(each.after == each.label for each in flips)
    share = paired_difference_interval(PairedCounts(hits - lost, lost, gained, total - hits - gained))
    return AccuracyChange(
        source=source,
        samples=total,
        top1_before=hits / total,
        top1_after=(hits - lost + gained) / total,
        drop_points=100 * (lost - gained) / total,
        drop_interval=Interval(100 * share.low, 100 * share.high),
        only_before=lost,
        only_after=gained,
        p_value=mcnemar_exact(lost, gained) if is_installed("scipy") else None,
        flips=flips,
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test: a binomial test of the images that one alone recognizes.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika
    12, 1947.

    Args:
        only_first: Images that the first alone recognizes.
        only_second: Likewise of the second.
    """
    from scipy.stats import binomtest

    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)
