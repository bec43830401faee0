"""Writes nested values as TOML, which Python reads but does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(document: Mapping[str, Any]) -> str:
    """Returns a TOML document.

    Args:
        document: Texts, numbers, truth values, lists of them, and tables and lists of tables of the same, by name.
    """
    return "\n".join(_table(document, ())).strip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yields plain values first, since what follows the head of an inner table belongs to that."""
    for name, value in table.items():
        if not _is_table(value) and not _are_tables(value):
            yield f"{_key(name)} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in table.items():
        inner = (*path, name)
        head = ".".join(map(_key, inner))
        if _is_table(value):
            yield from ("", f"[{head}]", *_table(value, inner))
        elif _are_tables(value):
            for each in value:
                yield from ("", f"[[{head}]]", *_table(each, inner))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
