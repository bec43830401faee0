"""Frozen values as JSON, under the field names of the documents (pydantic aliases where Python names differ)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

LATER: Final = "added after the first version of the document"
"""Marks, in ``Annotated``, a field that documents of earlier versions do not have: it alone has its default when read."""

_LARGEST = 2**63
_T = TypeVar("_T")


def to_document(value: Any) -> Any:
    """Returns a frozen dataclass as plain JSON values."""
    return TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True)


def to_json(value: Any) -> bytes:
    """Returns a frozen dataclass as an indented JSON document that ends in a newline.

    A NaN or an infinity becomes null: unknown where a field may be null, else a document that is refused when read.
    """
    return TypeAdapter(type(value)).dump_json(value, indent=1, by_alias=True) + b"\n"


def from_json(kind: type[_T], content: bytes) -> _T:
    """Reads a frozen dataclass from a JSON document; nothing is converted, and nothing but what is newer left out.

    Args:
        kind: The dataclass. Its fields are required, also those with a default, unless they are marked ``LATER``.
        content: The document.

    Raises:
        ValueError: it is not JSON, not of this type, or lacks a key; the message says where.
    """
    try:
        value = TypeAdapter(kind).validate_json(content, strict=True)
        document = json.loads(content, object_pairs_hook=_without_twins, parse_constant=_refuse, parse_int=_integer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise ValueError(f"{where}: {first['msg']}") from error
    except RecursionError as error:
        raise ValueError("document: nested too deeply") from error
    fault = next(_faults(kind, document), None)
    if fault:
        raise ValueError(fault)
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)}: is given twice")
    return document


def _refuse(constant: str) -> float:
    raise ValueError(f"document: {constant} is not a number of JSON")


def _integer(digits: str) -> int:
    """Parses an integer that fits into 64 bits, as every count, size and seed of a document does."""
    if len(digits) > 20 or not -_LARGEST <= int(digits) < _LARGEST:
        raise ValueError(f"document: the integer {digits[:20]}… does not fit into 64 bits")
    return int(digits)


def _faults(kind: Any, value: Any, where: str = "") -> Iterator[str]:
    """Yields every key that a document of this type has to have and ``value`` lacks, and every truth value for a number."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _faults(arguments[0], value, where)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _faults(argument, value, where)
    elif origin is tuple and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(arguments[0], item, f"{where}{index}.")
    elif origin is Literal and value in arguments and type(value) not in map(type, arguments):
        yield f"{where.rstrip('.')}: {value!r} is none of {', '.join(map(str, arguments))}"
    elif is_dataclass(kind) and isinstance(value, dict):
        for name, hint in get_type_hints(kind, include_extras=True).items():
            notes = hint.__metadata__ if get_origin(hint) is Annotated else ()
            key = next((note.alias for note in notes if getattr(note, "alias", None)), name)
            if key in value:
                yield from _faults(hint, value[key], f"{where}{key}.")
            elif LATER not in notes:
                yield f"{where}{key}: is missing"
