"""The reference of files that users write, from their pydantic models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from benchmarks.reference.docstrings import one_line, plain, table
from edgevit.gate.budget import Budget
from edgevit.spec.keys import section_of, type_words
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
            rows.append((f"`{name}`", type_words(field.annotation), _default(field), one_line(field.description or "")))
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
