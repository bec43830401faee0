"""Frozen dataclasses as plain JSON values and back with the standard library alone, for boards, which have no pydantic.

It makes the same documents as :mod:`edgevit.results.document`, and reads those that the host has made; the host checks what
comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


def to_plain(value: Any) -> Any:
    """Returns a frozen dataclass of numbers, texts, paths, tuples and dataclasses as plain JSON values.

    Raises:
        TypeError: it holds something else.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} has no plain form")
    return {key: to_plain(getattr(value, name)) for name, key, _ in _keys(type(value))}


def from_plain(kind: type[_T], document: Any) -> _T:
    """Returns a frozen dataclass from the plain values that :func:`to_plain` makes of it.

    Raises:
        TypeError: a value is not of its field's type, or a field without default has none.
    """
    value: _T = _read(kind, document)
    return value


def _read(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _read(arguments[0], value)
    if origin in (Union, UnionType):
        return _read_any_of(arguments, value)
    if origin is Literal:
        return _checked(value, value in arguments, kind)
    if origin is tuple:
        items = _checked(value, isinstance(value, list | tuple), kind)
        kinds: Sequence[Any] = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else arguments
        return tuple(_read(item_kind, item) for item_kind, item in zip(kinds, items, strict=True))
    if is_dataclass(kind):
        return _read_fields(kind, _checked(value, isinstance(value, Mapping), kind))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return kind(_checked(value, isinstance(value, str), kind))
    if kind is float:
        return float(_checked(value, isinstance(value, int | float) and not isinstance(value, bool), kind))
    if kind in (int, str, bool, NoneType):
        return _checked(value, type(value) is kind, kind)
    raise TypeError(f"{kind} has no plain form")


def _read_any_of(kinds: tuple[Any, ...], value: Any) -> Any:
    """Reads a value of one of several types, as the first that it is one of."""
    for kind in kinds:
        try:
            return _read(kind, value)
        except TypeError:
            continue
    raise TypeError(f"{value!r} is none of {kinds}")


def _read_fields(kind: Any, document: Mapping[str, Any]) -> Any:
    return kind(**{name: _read(hint, document[key]) for name, key, hint in _keys(kind) if key in document})


def _checked(value: Any, fits: bool, kind: Any) -> Any:
    if not fits:
        raise TypeError(f"{value!r} is not of {kind}")
    return value


def _keys_of(kind: Any) -> tuple[tuple[str, str, Any], ...]:
    """Fields of a dataclass: the name, its key in documents, and the type."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for each in fields(kind):
        notes = hints[each.name].__metadata__ if get_origin(hints[each.name]) is Annotated else ()
        key = next((note.alias for note in notes if getattr(note, "alias", None)), each.name)
        found.append((each.name, key, hints[each.name]))
    return tuple(found)


_keys: Callable[[Any], tuple[tuple[str, str, Any], ...]] = cache(_keys_of)
