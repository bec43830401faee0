"""A table of labels, ``labels.csv``: one row per image, its file and its class index."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import UsageError, closest
from edgevit.spec.input_file import require_file

LABELS_FILE = "labels.csv"
_COLUMNS = ("file", "class_index")
_FORM = "columns: file,class_index (separated by commas, semicolons or tabs), one row per image"


@dataclass(frozen=True)
class LabelRow:
    """One row of the table."""

    line: int
    """Counted from 1."""
    file: str
    label: int


def read_labels(table: Path) -> tuple[LabelRow, ...]:
    """Reads a table of labels; columns other than ``file`` and ``class_index`` are ignored.

    Raises:
        UsageError: it cannot be read, lacks a column, or a class index is no integer ≥ 0; the line is named.
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
    file, index = _columns(header, table)
    return tuple(_row(table, line, row, file, index) for line, row in body if any(row))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its last line; the delimiter is the one that the first line has most often."""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, row


def _columns(header: Sequence[str], table: Path) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    lacking = sorted(set(_COLUMNS) - set(names))
    if lacking:
        near = closest(lacking[0], names, 1)
        raise UsageError(
            f"{table} lacks the column {' and '.join(lacking)}; it has {', '.join(map(repr, header)) or 'none'}",
            (f"rename {near[0]!r} to {lacking[0]!r}; " if near else "") + _FORM,
        )
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise UsageError(f"{table} has the column {twice[0]} twice", _FORM)
    return names.index("file"), names.index("class_index")


def _row(table: Path, line: int, row: Sequence[str], file: int, index: int) -> LabelRow:
    name = row[file] if file < len(row) else ""
    label = row[index].strip() if index < len(row) else ""
    if not (label.isascii() and label.isdigit() and len(label) < 10):
        raise UsageError(
            f"{table} line {line}: class_index {label!r} is not an integer ≥ 0",
            "give the index of the model's output, 0 for the first; where labels count from 1, --class-offset -1 says so",
        )
    return LabelRow(line, name, int(label))
