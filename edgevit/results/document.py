"""Frozen values as JSON, under the field names of the documents (pydantic aliases where Python names differ)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:  # documents are read and written on the host; a board that measures has no pydantic
    from pydantic import TypeAdapter

LATER: Final = "added after the first version of the document"
"""Marks, in ``Annotated``, a field that documents of earlier versions do not have: it alone has its default when read."""

_LARGEST = 2**63
_MOST_FAULTS = 8
"""That a message lists."""
_PLAIN = (str, int, float, bool)
_T = TypeVar("_T")
FaultFinder = Callable[[Any], Iterable[tuple[str, str]]]
"""Yields, of a document as JSON has it, the path of each fault with what is wrong there."""


def to_document(value: Any) -> Any:
    """Returns a frozen dataclass as plain JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json", by_alias=True)


def to_json(value: Any) -> bytes:
    """Returns a frozen dataclass as an indented JSON document that ends in a newline.

    A NaN or an infinity becomes null: unknown where a field may be null, else a document that is refused when read.
    """
    return _adapter(type(value)).dump_json(value, indent=1, by_alias=True) + b"\n"


def from_json(kind: type[_T], content: bytes, more_faults: FaultFinder | None = None) -> _T:
    """Reads a frozen dataclass from a JSON document; nothing is converted, and nothing but what is newer left out.

    Args:
        kind: The dataclass. Its fields are required, also those with a default, unless they are marked ``LATER``.
        content: The document.
        more_faults: Finds what else is wrong with it.

    Raises:
        ValueError: it is not JSON, not of this type, or lacks keys; the message has every fault with its path, on lines of
            their own where there are several.
    """
    from pydantic import ValidationError

    faults: dict[str, str] = {}
    value: _T | None = None
    try:
        try:
            value = _adapter(kind).validate_json(content, strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            if details[0]["type"] == "json_invalid":
                raise ValueError(f"document: {details[0]['msg']}") from error
            faults = {".".join(map(str, each["loc"])) or "document": each["msg"] for each in reversed(details)}
        document = json.loads(content, object_pairs_hook=_without_twins, parse_constant=_refuse, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("document: nested too deeply") from error
    also = (*_faults(kind, document), *(more_faults(document) if more_faults else ()))
    faults = {**dict(reversed(faults.items())), **{path: text for path, text in also if path not in faults}}
    if value is None or faults:
        raise ValueError(_listed([f"{path}: {text}" for path, text in faults.items()]))
    return value


def from_document(kind: type[_T], document: Any) -> _T:
    """Returns a frozen dataclass from plain JSON values that :func:`to_document` made; raises ``ValueError`` for others."""
    value: _T = _adapter(kind).validate_python(document, strict=False)
    return value


def _adapter_of(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(_adapter_of)


def _listed(faults: list[str]) -> str:
    """One fault as it is, several on lines of their own."""
    if len(faults) == 1:
        return faults[0]
    more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return "".join(f"\n  {line}" for line in (*faults[:_MOST_FAULTS], *more))


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


def _faults(kind: Any, value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yields every key that a document of this type has to have and ``value`` lacks, and every truth value for a number.

    Each as its path and what is wrong with it.
    """
    origin, arguments = _parts(kind)
    if origin is Annotated:
        yield from _faults(arguments[0], value, where)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _faults(argument, value, where)
    elif origin is tuple and isinstance(value, list):
        if isinstance(arguments[0], type) and not is_dataclass(arguments[0]):
            return  # of numbers and texts, which have no keys
        for index, item in enumerate(value):
            yield from _faults(arguments[0], item, f"{where}{index}.")
    elif origin is Literal and value in arguments and type(value) not in map(type, arguments):
        yield where.rstrip("."), f"{value!r} is none of {', '.join(map(str, arguments))}"
    elif isinstance(value, dict) and is_dataclass(kind):
        for key, hint, later in _keys(kind):
            if key in value:
                if hint not in _PLAIN:
                    yield from _faults(hint, value[key], f"{where}{key}.")
            elif not later:
                yield f"{where}{key}", "is missing"


def _origin_and_arguments(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(kind), get_args(kind)


_parts: Callable[[Any], tuple[Any, tuple[Any, ...]]] = cache(_origin_and_arguments)


def _keys_of(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Keys of a dataclass in its documents, each with its type and whether documents of earlier versions lack it."""
    found = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        notes = hint.__metadata__ if get_origin(hint) is Annotated else ()
        key = next((note.alias for note in notes if getattr(note, "alias", None)), name)
        found.append((key, hint, LATER in notes))
    return tuple(found)


_keys: Callable[[Any], tuple[tuple[str, Any, bool], ...]] = cache(_keys_of)
