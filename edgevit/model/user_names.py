"""What users name as ``package.module:function``: found, and told from one run to the next by its files."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from edgevit.errors import UsageError, closest
from edgevit.model.user_code import is_installed, user_code


def find_callable(name: str, kind: str, makes: str) -> Callable[..., Any]:
    """Imports a user's module, also from the current folder, and returns what a name in it means.

    Args:
        name: "package.module:function".
        kind: What it is to be, for messages: "factory".
        makes: What it does, for messages: "makes the module".

    Raises:
        UsageError: the name is not of that form, the module cannot be imported, or there is nothing of that name in it that
            can be called.
    """
    form = f"write package.module:{kind}, importable from the current folder"
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise UsageError(f"{name} is not package.module:{kind}", form)
    _make_importable(Path.cwd())
    with user_code(f"importing {module_name}"):
        module = _import(module_name, form)
        found = module
        for part in attribute.split("."):
            found = getattr(found, part, None)
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if not callable(found):
        near = closest(attribute, known)
        raise UsageError(
            f"{module_name!r} has no {kind} {attribute!r}",
            f"did you mean {' or '.join(near)}?" if near else f"name a function there that {makes}",
        )
    return cast(Callable[..., Any], found)


def source_files(name: str) -> tuple[Path, ...]:
    """Returns the files of Python code, among those imported so far, that a function is made of.

    They are all that lie in or below the folder of its module and are not installed; what is installed is told by the
    versions of packages.

    Args:
        name: "package.module:function", found before.
    """
    top = sys.modules.get(name.partition(":")[0].partition(".")[0])
    file = _file_of(top)
    if file is None:
        return ()
    folder = file.parent
    files = (_file_of(module) for module in tuple(sys.modules.values()))
    return tuple(sorted({each for each in files if each and each.is_relative_to(folder) and not is_installed(each)}))


def own_code(name: str) -> str:
    """Returns the source code of one function, "" where nobody knows it, as of one written in C.

    It tells functions that are in no file from one run to the next, such as those of a notebook.

    Args:
        name: "package.module:function", found before.
    """
    module_name, _, attribute = name.partition(":")
    found: Any = sys.modules.get(module_name)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    try:
        return inspect.getsource(found)
    except (TypeError, OSError):
        return ""


def _file_of(module: Any) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and Path(file).is_file() else None


def _import(name: str, form: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is a module that the user's own imports
        near = closest(name, (path.stem for path in Path.cwd().glob("*.py")))
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(f"cannot import {name!r}: {error}", meant + form) from error


def _make_importable(folder: Path) -> None:
    """Lets modules of a folder be imported, as ``python -m`` does, but none of them in place of Python's own."""
    if str(folder) in sys.path:
        return
    first = next((place for place, entry in enumerate(sys.path) if Path(entry).name.endswith("-packages")), None)
    sys.path.insert(len(sys.path) if first is None else first, str(folder))
