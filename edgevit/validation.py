"""Turns pydantic's complaints about a user's file into one error that lists them all, each with its path."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from edgevit.errors import UsageError, closest

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: dict[str, Any], where: str) -> Model:
    """Validates ``document`` as ``model``.

    Args:
        model: The pydantic class of the document.
        document: What was read.
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
