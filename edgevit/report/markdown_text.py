"""Sections, tables and code in Markdown, with untrusted text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def section(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int]) -> str:
    """Returns a section that is one table, or "" where there are no rows."""
    return f"## {title}\n\n{table(titles, rows, numeric)}" if rows else ""


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int]) -> str:
    """Returns a table; ``numeric`` are the indices of the columns to align right."""
    right = set(numeric)
    lines = [
        _row(titles),
        "|" + "|".join("--:" if index in right else "---" for index in range(len(titles))) + "|",
        *(_row([escape(cell) for cell in row]) for row in rows),
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    """Returns untrusted text on one line, with what has a meaning in tables or HTML escaped."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    """Returns untrusted text as inline code; not for table cells."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
