"""Reads and validates TOML, and finds the files that edgevit ships: profiles, devices and calibration manifests.

In a checkout those are beside the package, in an installed wheel inside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from edgevit.errors import UsageError, closest, unknown_name
from edgevit.spec.input_file import expand_user, require_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Kind", "find", "names", "read_toml", "tomllib", "validate"]

Kind = Literal["profiles", "devices", "calibration"]

_PACKAGE = Path(__file__).parents[1]

_MOST_NAMES = 30
"""Names that a message lists."""

_DEEPEST = 20
"""Levels of tables and arrays: no document of edgevit has half as many."""


def _folder(kind: Kind) -> Path:
    in_wheel = _PACKAGE / "shipped_files" / kind
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / kind


def names(kind: Kind) -> list[str]:
    """Returns the names of all shipped files of a kind, sorted."""
    return sorted(path.stem for path in _folder(kind).glob("*.toml"))


def find(kind: Kind, name: str) -> Path:
    """Returns the path of a shipped file by name, or ``name`` itself if it ends in ".toml" and exists.

    Raises:
        UsageError: there is no such file; the nearest names are given.
    """
    singular = {"profiles": "profile", "devices": "device", "calibration": "calibration set"}[kind]
    if name.endswith(".toml"):
        return require_file(expand_user(name), f"{singular} file", f"shipped by name: {', '.join(names(kind))}")
    known = names(kind)
    if name not in known:
        listed = f"`edgevit {kind}` lists {len(known)}" if len(known) > _MOST_NAMES else None
        raise unknown_name(singular, name, known, next_step=listed)
    return _folder(kind) / f"{name}.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML document and returns it as nested dictionaries.

    Raises:
        UsageError: the file cannot be read, or is not TOML; the line is named.
    """
    require_file(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows editors begin a file with a byte order mark
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", "give a TOML file that can be read"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "save it as UTF-8 text") from error
    try:
        return parse_toml(text)
    except ValueError as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "correct that line") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Parses a TOML document and returns it as nested dictionaries.

    Raises:
        ValueError: it is not TOML, nests deeper than any document of edgevit, or has a number with thousands of digits.
    """
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("tables or arrays are nested too deeply") from error
    except ValueError as error:  # Python reads no integer of so many digits
        raise ValueError("a number has too many digits") from error
    if _depth(document) > _DEEPEST:
        raise ValueError(f"tables or arrays are nested more than {_DEEPEST} deep")
    return document


def _depth(document: Any) -> int:
    """Levels of tables and arrays, found without recursion, for a document may nest deeper than calls can."""
    depth, level = 0, [document]
    while level:
        inner = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        depth += bool(inner)
        level = [value for values in inner for value in values]
    return depth


Model = TypeVar("Model", bound=BaseModel)

_MOST_LINES = 8
"""Errors of a document that are told at once, unless another number is asked for."""
_ORDER = {"extra_forbidden": 0, "missing": 2}
"""Unknown keys first, which may be the missing ones misspelt; missing keys last."""


def validate(model: type[Model], document: dict[str, Any], where: str, most_lines: int | None = _MOST_LINES) -> Model:
    """Returns ``document`` as an instance of ``model``.

    Args:
        model: The pydantic class of the document.
        document: What :func:`read_toml` returned.
        where: File or source of the document, for the message.
        most_lines: Errors that are told at once; all when None.

    Raises:
        UsageError: the first errors at once, each with its path and, for an unknown key, the nearest known ones.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        details = sorted(error.errors(), key=lambda detail: _ORDER.get(detail["type"], 1))
        lines = [_line(model, detail) for detail in details[:most_lines]]
        lines += [f"and {len(details) - len(lines)} more"] if len(details) > len(lines) else []
        listing = "\n  ".join(lines)
        raise UsageError(f"{where} is not valid:\n  {listing}", "correct the keys above and try again") from error


def _line(model: type[BaseModel], detail: Any) -> str:
    path = ".".join(str(part) for part in detail["loc"]) or "document"
    if detail["type"] == "string_unicode":
        return f"{path}: is not UTF-8; give another name"
    if detail["type"] == "missing":
        return f"{path}: is missing"
    if detail["type"] == "string_too_short":
        return f"{path}: is empty; give a value, or leave it out"
    if detail["type"] != "extra_forbidden":
        given = f", not {_short(detail['input'])}" if detail["type"] not in ("missing", "value_error") else ""
        return f"{path}: {detail['msg'].removeprefix('Value error, ')}{given}"
    known = _fields_at(model, detail["loc"][:-1])
    near = closest(str(detail["loc"][-1]), known)
    return f"{path}: unknown key; {'did you mean ' + ' or '.join(near) + '?' if near else 'known: ' + ', '.join(known)}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    models = [model]
    for part in location:
        fields = [each.model_fields[part] for each in models if part in each.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
        # else the key of a table of tables, or the place in an array of them: the models stay
    return sorted(name for each in models for name in each.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Models that a field may hold: itself, one of several, or the values of a table or an array."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _short(value: Any) -> str:
    """A value of a document as it is written, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, dict) else "a table"
    return text if len(text) <= 40 else f"{text[:37]}..."
