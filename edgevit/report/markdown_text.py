"""Sections, tables and code in Markdown, with untrusted text escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgevit import units


def section(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int]) -> str:
    """Returns a section that is one table, or "" where there are no rows."""
    return f"## {title}\n\n{table(titles, rows, numeric)}" if rows else ""


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int], bold: Iterable[int] = ()
) -> str:
    """Returns a table.

    Args:
        titles: One per column.
        rows: Cells as text, untrusted.
        numeric: Indices of the columns to align right.
        bold: Indices of the rows to set in bold.
    """
    right, strong = set(numeric), set(bold)
    lines = [
        _row([escape(title) for title in titles]),
        "|" + "|".join("--:" if index in right else "---" for index in range(len(titles))) + "|",
    ]
    for number, row in enumerate(rows):
        cells = [escape(cell) for cell in row]
        lines.append(_row([f"**{cell}**" for cell in cells] if number in strong else cells))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=[A-Za-z])://|(?<=www)\.|(?<=[\w.+-])@")
"""What may begin or end markup, a table cell, a formula or a link in Markdown; an underscore within a word does not."""
_IN_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """Returns untrusted text on one line that reads as it is: nothing in it is markup, HTML, a formula or a link."""
    shown = "".join(_IN_HTML.get(character, character) for character in plain(text))
    return _MARKUP.sub(lambda found: f"\\{found[0]}", shown)


def plain(text: str) -> str:
    """Returns untrusted text on one line without control characters, for what is no Markdown, such as metadata."""
    return units.visible(" ".join(text.split()))


def code(text: str) -> str:
    """Returns untrusted text as inline code; not for table cells."""
    return f"`{plain(text).replace('`', chr(39))}`"
