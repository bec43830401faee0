"""Reads and validates TOML, and finds the files that edgevit ships: profiles, devices and calibration manifests.

In a checkout those are beside the package, in an installed wheel inside it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from edgevit.errors import UsageError, closest, unknown_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Kind", "find", "names", "read_toml", "tomllib", "validate"]

Kind = Literal["profiles", "devices", "calibration"]

_PACKAGE = Path(__file__).parents[1]


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
    if name.endswith(".toml"):
        path = Path(name)
        if path.is_file():
            return path
        raise UsageError(f"no such {kind} file: {name}", f"shipped by name: {', '.join(names(kind))}")
    if name not in names(kind):
        singular = {"profiles": "profile", "devices": "device", "calibration": "calibration set"}[kind]
        raise unknown_name(singular, name, names(kind))
    return _folder(kind) / f"{name}.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML document and returns it as nested dictionaries.

    Raises:
        UsageError: the file cannot be read, or is not TOML; the line is named.
    """
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: dict[str, Any], where: str) -> Model:
    """Returns ``document`` as an instance of ``model``.

    Args:
        model: The pydantic class of the document.
        document: What :func:`read_toml` returned.
        where: File or source of the document, for the message.

    Raises:
        UsageError: every error at once, each with its path and, for an unknown key, the nearest known ones.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [_line(model, detail) for detail in error.errors()]
        listing = "\n  ".join(lines)
        raise UsageError(f"{where} is not valid:\n  {listing}", "correct the keys above and try again") from error


def _line(model: type[BaseModel], detail: Any) -> str:
    path = ".".join(str(part) for part in detail["loc"]) or "document"
    if detail["type"] != "extra_forbidden":
        return f"{path}: {detail['msg'].removeprefix('Value error, ')}"
    known = _fields_at(model, detail["loc"][:-1])
    near = closest(str(detail["loc"][-1]), known)
    return f"{path}: unknown key; {'did you mean ' + ' or '.join(near) + '?' if near else 'known: ' + ', '.join(known)}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        current = next(
            (
                option
                for option in (field.annotation, *getattr(field.annotation, "__args__", ()))
                if isinstance(option, type) and issubclass(option, BaseModel)
            ),
            None,
        )
    return sorted(getattr(current, "model_fields", {}))
