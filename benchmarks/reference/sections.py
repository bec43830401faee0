"""The reference of files that users write, from their pydantic models."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from benchmarks.reference.docstrings import one_line, plain, table
from edgevit.gate.budget import Budget
from edgevit.spec.spec import Spec


def spec_page() -> str:
    """Returns the page of the spec: every key with its type, default and meaning."""
    head = (
        "# Spec\n\nWhat `edgevit compress spec.toml` reads; any key is also given as `--set KEY=VALUE`. `edgevit init` writes one"
        " with comments, and\n`edgevit schema spec` prints the JSON Schema."
    )
    return "\n\n".join([head, *_sections(Spec, "")]) + "\n"


def budget_page() -> str:
    """Returns the page of a budget."""
    head = "# Budget\n\nWhat `edgevit gate --budget FILE` reads; `edgevit schema budget` prints the JSON Schema."
    return "\n\n".join([head, *_sections(Budget, "")]) + "\n"


def keys(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yields every key that holds a value, with its dotted path."""
    for name, field in model.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None:
            yield f"{path}{name}", field
        else:
            yield from keys(inner, f"{path}{name}.{'NAME.' if _is_table_of_sections(field.annotation) else ''}")


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Returns the section that a field holds, also in a table of them; None for a value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_of(each) for each in get_args(annotation))
    return next((each for each in found if each), None)


def _is_table_of_sections(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def _sections(model: type[BaseModel], path: str) -> Iterator[str]:
    title = f"`[{path}]`" if path else "Top level"
    rows, inner = [], []
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if section:
            inner.append((f"{path}.{name}".strip(".") + (".NAME" * _is_table_of_sections(field.annotation)), section))
        else:
            rows.append((f"`{name}`", _type(field.annotation), _default(field), one_line(field.description or "")))
    if rows:
        yield f"## {title}"
        if path:
            yield plain(model.__doc__ or "")
        yield table(("key", "type", "default", "meaning"), rows)
    for place, section in inner:
        yield from _sections(section, place)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "–" if value is None else f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def _type(annotation: Any) -> str:
    """A type in TOML's terms."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return ", ".join(f"`{json.dumps(each)}`" for each in arguments)
    if origin is tuple:
        count = "list" if arguments[-1] is Ellipsis else f"{len(arguments)} numbers"
        return f"{count} of {_type(arguments[0])}" if count == "list" else count
    return {"bool": "true or false", "int": "integer", "float": "number", "str": "text"}.get(
        getattr(annotation, "__name__", ""), "path"
    )
