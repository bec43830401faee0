"""Adds the position embedding to the patches before they are concatenated with the class token: the same sums.

ONNX Runtime fuses an addition and the layer normalization after it, and then broadcasts the embedding slowly. The class
token and its embedding are constants, whose sum is computed beforehand.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import argument, attach, constant
from edgevit.model.program.nodes import call, is_call, only_user, shape, tidy

_aten = torch.ops.aten


def position_before_concat(module: fx.GraphModule, images: np.ndarray) -> int:
    """Moves the addition of a constant into the one part of a concatenation that is not constant, in place.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many additions were moved.
    """
    moved = 0
    for concat in list(module.graph.nodes):
        total = only_user(concat) if is_call(concat, _aten.cat.default) else None
        if total is None or not is_call(total, _aten.add.Tensor) or total.kwargs:
            continue
        added = next((constant(module, given) for given in total.args if given is not concat), None)
        parts = cast(list[fx.Node], concat.args[0])
        values = [constant(module, part) for part in parts]
        axis = (argument(concat, 1, "dim") or 0) % len(shape(concat))
        if added is None or tuple(added.shape) != shape(concat) or sum(value is None for value in values) != 1:
            continue
        summed, start = [], 0
        with module.graph.inserting_before(concat):
            for part, value in zip(parts, values, strict=True):
                length = shape(part)[axis]
                share = added.narrow(axis, start, length)
                start += length
                if value is None:
                    summed.append(call(module, _aten.add.Tensor, part, attach(module, share)))
                else:
                    summed.append(attach(module, value + share))
        concat.args, concat.kwargs = (summed, axis), {}
        total.replace_all_uses_with(concat)
        moved += 1
    if moved:
        tidy(module)
    return moved
