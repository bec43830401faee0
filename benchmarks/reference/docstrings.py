"""Docstrings and code as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
_ITEM = re.compile(r"^    (\*{0,2}\w[\w.]*): (.*)$")


def plain(text: str) -> str:
    """Returns a docstring's text as Markdown: roles and double backticks become code."""
    return re.sub(r"``([^`]+)``", r"`\1`", _ROLE.sub(r"`\1`", inspect.cleandoc(text)))


def one_line(text: str) -> str:
    """Returns a docstring as the cell of a table, where a bar ends a cell unless it is in code, which keeps a backslash."""
    parts = re.split("(`[^`]*`)", " ".join(plain(text).split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)


def as_markdown(docstring: str) -> str:
    """Returns a Google-style docstring as Markdown, its sections as lists."""
    return "\n".join(_lines(plain(docstring).splitlines()))


def _lines(lines: list[str]) -> Iterator[str]:
    section = False
    for line in lines:
        title = _SECTION.match(line)
        item = _ITEM.match(line) if section else None
        if title:
            section = True
            yield f"**{title[1]}**\n"
        elif item:
            yield f"- `{item[1]}`: {item[2]}"
        elif section and line.strip():
            yield f"  {line.strip()}"
        else:
            yield line


def table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Returns a Markdown table."""
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)
