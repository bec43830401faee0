"""Frozen values as JSON, under the field names of the documents (pydantic aliases where Python names differ)."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter


def to_document(value: Any) -> Any:
    """Returns a frozen dataclass as plain JSON values."""
    return TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True)


def to_json(value: Any) -> bytes:
    """Returns a frozen dataclass as an indented JSON document that ends in a newline.

    A NaN or an infinity becomes null: unknown where a field may be null, else a document that is refused when read.
    """
    return TypeAdapter(type(value)).dump_json(value, indent=1, by_alias=True) + b"\n"
