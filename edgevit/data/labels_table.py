"""A table of labels, ``labels.csv``: one row per image, its file and its class index, number, or all classes that it has."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.other_labels import OtherLabels
from edgevit.errors import UsageError, closest
from edgevit.spec.input_file import require_file

LABELS_FILE = "labels.csv"
_OTHERS = ("value", "class_indices")
"""In place of the class index: a number, or class indices with spaces between."""
_FORM = "columns: file,class_index (separated by commas, semicolons or tabs), one row per image"


@dataclass(frozen=True)
class LabelRow:
    """One row of the table."""

    line: int
    """Counted from 1."""
    file: str
    label: int | float | tuple[int, ...]
    """Class index, number, or class indices; of the same kind in all rows."""


def read_labels(table: Path) -> tuple[LabelRow, ...]:
    """Reads a table of labels: its columns ``file`` and ``class_index``, else ``value`` or ``class_indices``; others are ignored.

    Raises:
        UsageError: it cannot be read, lacks a column, or a class index is no integer ≥ 0, or a value no finite number; the
            line is named.
    """
    require_file(table, "table of labels")
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = [*_rows(stream.read())]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UsageError(f"cannot read {table}: {error}", "write it as comma-separated UTF-8 text") from error
    if not rows:
        raise UsageError(f"{table} lacks the column class_index and file: it is empty", _FORM)
    (_, header), *body = rows
    column, file, index = _columns(header, table)

    def label(line: int, row: Sequence[str]) -> LabelRow:
        text = row[index].strip() if index < len(row) else ""
        return LabelRow(line, row[file] if file < len(row) else "", _READERS[column](text, f"{table} line {line}"))

    return tuple(label(line, row) for line, row in body if any(row))


def classes_of(rows: Sequence[LabelRow]) -> tuple[int, ...] | None:
    """Returns the class index of each row; None where the labels are of another kind."""
    found = tuple(row.label for row in rows if isinstance(row.label, int))
    return found if len(found) == len(rows) else None


def other_labels_of(rows: Sequence[LabelRow]) -> OtherLabels | None:
    """Returns the number, or the classes, of each row; None where the labels are class indices."""
    numbers = tuple(row.label for row in rows if isinstance(row.label, float))
    sets = tuple(row.label for row in rows if isinstance(row.label, tuple))
    return numbers or sets or None


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its last line; the delimiter is the one that the first line has most often."""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, row


def _columns(header: Sequence[str], table: Path) -> tuple[str, int, int]:
    """The name of the column of labels, and the places of the files and of the labels."""
    names = [name.strip().lower() for name in header]
    column = next((name for name in ("class_index", *_OTHERS) if name in names), "class_index")
    wanted = ("file", column)
    lacking = sorted(set(wanted) - set(names))
    if lacking:
        near = closest(lacking[0], names, 1)
        raise UsageError(
            f"{table} lacks the column {' and '.join(lacking)}; it has {', '.join(map(repr, header)) or 'none'}",
            (f"rename {near[0]!r} to {lacking[0]!r}; " if near else "") + _FORM,
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise UsageError(f"{table} has the column {twice[0]} twice", _FORM)
    return column, names.index("file"), names.index(column)


def _class_index(text: str, where: str) -> int:
    if not _is_index(text):
        raise UsageError(
            f"{where}: class_index {text!r} is not an integer ≥ 0",
            "give the index of the model's output, 0 for the first; where labels count from 1, --class-offset -1 says so",
        )
    return int(text)


def _value(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{where}: value {text!r} is not a finite number", "such as 3.5, with a point")
    return value


def _class_indices(text: str, where: str) -> tuple[int, ...]:
    found = text.split()
    if not all(map(_is_index, found)):
        raise UsageError(
            f"{where}: class_indices {text!r} are not integers ≥ 0",
            "give the index of each class that the image has, with spaces between, such as 0 3 7; nothing for none",
        )
    return tuple(sorted({int(index) for index in found}))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


_READERS: dict[str, Callable[[str, str], int | float | tuple[int, ...]]] = {
    "class_index": _class_index,
    "value": _value,
    "class_indices": _class_indices,
}
"""How the cells of a column of labels are read; the second argument says where a cell is."""
