"""Copies of a model that may be changed or captured while others use the model itself."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def copy_with_shared_weights(module: Module) -> Module:
    """Returns a copy whose parameters are objects of its own, but share the values of the original; buffers are copied.

    ``torch.export`` puts other tensors in place of those of the module that it captures, as long as it captures; another
    thread that ran or copied the same module meanwhile would find these.

    Args:
        module: Left as it is.
    """
    shared: dict[int, Any] = {id(each): nn.Parameter(each.detach(), each.requires_grad) for each in module.parameters()}
    return copy.deepcopy(module, shared)
