"""The reference of ``run.json``, from its JSON Schema and the docstrings of the dataclasses behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from benchmarks.reference.docstrings import one_line, plain, table
from benchmarks.reference.source import attribute_docstrings
from edgevit.results.run import Run, run_json_schema

_HEAD = """# run.json

Everything that a run found, as one JSON document: `edgevit schema run` prints its JSON Schema. Its schema version stays 1: keys are
added, and none is renamed or removed. Latencies are in milliseconds, sizes in bytes, accuracies fractions of 1 unless a name says
otherwise; `null` is what is not known."""


def run_page() -> str:
    """Returns the page: each object of the document with its keys."""
    schema = run_json_schema()
    kinds = {kind.__name__: kind for kind in _dataclasses(Run, set())}
    objects = {"Run": schema, **schema.get("$defs", {})}
    parts = [_HEAD]
    for name, definition in objects.items():
        if "properties" in definition:
            parts += _object(name, definition, kinds[name])
    return "\n\n".join(parts) + "\n"


def _object(name: str, definition: dict[str, Any], kind: type) -> Iterator[str]:
    told = attribute_docstrings(kind)
    names = {_key(hint) or field: field for field, hint in get_type_hints(kind, include_extras=True).items()}
    yield f"## {name}"
    yield plain(kind.__doc__ or "").partition("\n\nAttributes:")[0]
    rows = [
        (f"`{key}`", _type(value), one_line(told.get(names.get(key, key), "")))
        for key, value in definition["properties"].items()
    ]
    yield table(("key", "type", "meaning"), rows)


def _key(hint: Any) -> str | None:
    """The key in JSON where it is not the field's name."""
    notes = getattr(hint, "__metadata__", ())
    return next((note.alias for note in notes if getattr(note, "alias", None)), None)


def _dataclasses(hint: Any, seen: set[type]) -> set[type]:
    """Every dataclass that a type is made of."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint not in seen:
            seen.add(hint)
            for each in get_type_hints(hint).values():
                _dataclasses(each, seen)
    else:
        for each in get_args(hint):
            _dataclasses(each, seen)
    return seen


def _type(value: dict[str, Any]) -> str:
    """A type in JSON's terms, objects as links."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(each) for each in value["anyOf"]))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        inner = value.get("items") or next(iter(value.get("prefixItems", [])), {})
        return f"list of {_type(inner)}"
    if value.get("type") == "object":
        of = value.get("additionalProperties")
        return f"object of {_type(of)}" if isinstance(of, dict) and of else "object"
    return str(value.get("type", "any"))
