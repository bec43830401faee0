"""Names in JSON other than Python's, for fields of frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Alias:
    """What :func:`alias` returns where pydantic is not."""

    alias: str


def alias(name: str) -> Any:
    """Returns a mark for ``Annotated``: the name that documents have for a field.

    On a board, which has no pydantic, it is read by :mod:`edgevit.results.plain` alone.
    """
    try:
        from pydantic import Field
    except ModuleNotFoundError:
        return Alias(name)
    return Field(alias=name)
