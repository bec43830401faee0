"""A user's own ``package.module:factory``: found, called, and told from one run to the next."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from edgevit.errors import UsageError, closest
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.user_code import is_installed, user_code

_FORM = "write package.module:factory, importable from the current folder"


def call_factory(name: str, num_classes: int | None, *, pretrained: bool = False) -> nn.Module:
    """Calls a factory.

    Args:
        name: "package.module:factory".
        num_classes: Its argument of that name; left out when None.
        pretrained: Whether it loads its own weights; an argument where it has one of that name.

    Raises:
        UsageError: there is no such factory, it cannot be called, it raises anything or calls ``sys.exit()``, or what it
            returns is no module.
    """
    factory = _find(name)
    arguments: dict[str, int] = {} if num_classes is None else {"num_classes": num_classes}
    if pretrained and _takes(factory, "pretrained"):
        arguments["pretrained"] = True
    _check_signature(name, factory, arguments)
    with user_code(f"calling {name}"):
        module = factory(**arguments)
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"{name} returned {type(module).__name__}, not a torch.nn.Module", "return the module that it makes"
        )
    return module


def source_files(name: str) -> tuple[Path, ...]:
    """Returns the files of Python code, among those imported so far, that a factory is made of.

    They are all that lie in or below the folder of its module and are not installed; those of an installed factory are
    told by the versions of packages.

    Args:
        name: "package.module:factory", called before.
    """
    top = sys.modules.get(name.partition(":")[0].partition(".")[0])
    file = _file_of(top)
    if file is None:
        return ()
    folder = file.parent
    files = (_file_of(module) for module in tuple(sys.modules.values()))
    return tuple(sorted({each for each in files if each and each.is_relative_to(folder) and not is_installed(each)}))


def _file_of(module: Any) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and Path(file).is_file() else None


def _find(name: str) -> Callable[..., Any]:
    module_name, _, factory_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), factory_name)):
        raise UsageError(f"{name} is not package.module:factory", _FORM)
    _make_importable(Path.cwd())
    ensure_torchvision_schemas()  # the user's module may import timm or torchvision
    with user_code(f"importing {module_name}"):
        module = _import(module_name)
        factory = getattr(module, factory_name, None)
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if isinstance(factory, nn.Module):
        raise UsageError(
            f"{name} is a module, not a factory", f"give a function that makes it: def make(): return {factory_name}"
        )
    if not callable(factory):
        near = closest(factory_name, known)
        raise UsageError(
            f"{module_name!r} has no factory {factory_name!r}",
            f"did you mean {' or '.join(near)}?" if near else "name a function there that makes the module",
        )
    return cast(Callable[..., Any], factory)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is a module that the user's own imports
        near = closest(name, (path.stem for path in Path.cwd().glob("*.py")))
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(f"cannot import {name!r}: {error}", meant + _FORM) from error


def _make_importable(folder: Path) -> None:
    """Lets modules of a folder be imported, as ``python -m`` does, but none of them in place of Python's own."""
    if str(folder) in sys.path:
        return
    first = next((place for place, entry in enumerate(sys.path) if Path(entry).name.endswith("-packages")), None)
    sys.path.insert(len(sys.path) if first is None else first, str(folder))


def _takes(factory: Callable[..., Any], argument: str) -> bool:
    try:
        return argument in inspect.signature(factory).parameters
    except (TypeError, ValueError):  # of a class or function written in C
        return False


def _check_signature(name: str, factory: Callable[..., Any], arguments: dict[str, int]) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # of a class or function written in C
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        given = ", ".join(f"{key}={value}" for key, value in arguments.items())
        raise UsageError(
            f"{name}({given}) cannot be called: {error}", "give a function that makes the module"
        ) from error
