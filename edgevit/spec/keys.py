"""The keys of files that users write, in words: what a key takes, and which keys hold sections."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

_WORDS = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Returns the section that a key holds, also in a table of them; None for a value.

    Args:
        annotation: Type of the field.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_of(each) for each in get_args(annotation))
    return next((each for each in found if each), None)


def type_words(annotation: Any) -> str:
    """Returns what a key takes, in TOML's terms: "integer", "3 numbers", "list of text", ``"auto" or "none"``.

    Args:
        annotation: Type of a field that holds a value; that it may be left out is not said.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return " or ".join(json.dumps(each) for each in arguments)
    if origin is tuple:
        of = type_words(arguments[0])
        return f"list of {of}" if arguments[-1] is Ellipsis else f"{len(arguments)} {of}s"
    return getattr(annotation, "toml_words", None) or _WORDS[annotation]
