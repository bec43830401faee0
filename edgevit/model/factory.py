"""A user's own ``package.module:factory``: found and called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.user_code import user_code
from edgevit.model.user_names import find_callable


def call_factory(name: str, num_classes: int | None, *, pretrained: bool = False) -> nn.Module:
    """Calls a factory.

    Args:
        name: "package.module:factory".
        num_classes: Its argument of that name; left out when None, and when 0, for features, where it has none.
        pretrained: Whether it loads its own weights; an argument where it has one of that name.

    Raises:
        UsageError: there is no such factory, it cannot be called, it raises anything or calls ``sys.exit()``, or what it
            returns is no module.
    """
    factory = _find(name)
    arguments: dict[str, int] = {}
    if num_classes or (num_classes == 0 and _takes(factory, "num_classes")):
        arguments["num_classes"] = num_classes
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


def _find(name: str) -> Callable[..., Any]:
    ensure_torchvision_schemas()  # the user's module may import timm or torchvision
    factory = find_callable(name, "factory", "makes the module")
    if isinstance(factory, nn.Module):
        raise UsageError(
            f"{name} is a module, not a factory",
            f"give a function that makes it: def make(): return {name.partition(':')[2]}",
        )
    return factory


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
