"""Moves hidden neurons with massive activations out of the layers that become int8.

In a trained vision transformer one neuron of one MLP may reach 200 where all others stay under 9, for any image: int8
with one scale for the tensor then has 5 of its 127 steps for all the others. Computed in a layer of its own, with its
own scale, such a neuron costs next to nothing.

Source of the phenomenon: Sun et al., "Massive Activations in Large Language Models", 2024 (section on ViTs).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, Layer, attach, find_layer, find_layers, run_images, set_parameters
from edgevit.model.program.nodes import ACTIVATIONS, call, is_call, is_idle_dropout, only_user, tidy

RATIO = 8
"""Least ratio of a massive neuron's range to that of the others; 8 is 3 of the 8 bits."""
MOST = 4
"""Most neurons that are moved out of a layer; each becomes a small layer of its own."""
_aten = torch.ops.aten


def split_massive_neurons(module: fx.GraphModule, images: np.ndarray) -> int:
    """Moves massive neurons out of every MLP (linear, activation, linear), in place.

    Their weights become zero in both layers, which keep their shapes, and ``w2[:, j] * act(w1[j] x + b1[j])`` is
    added to the output of the second.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w], preprocessed, 1 or more; a few suffice, or the image that capture used.

    Returns:
        How many neurons were moved.
    """
    mlps = {mlp.second.node: mlp for mlp in (_mlp(module, layer) for layer in find_layers(module)) if mlp}
    if not mlps:
        return 0
    peaks: dict[fx.Node, torch.Tensor] = {}

    def see(node: fx.Node, hidden: torch.Tensor, _: torch.Tensor) -> None:
        peak = hidden.abs().flatten(0, -2).amax(0)
        peaks[node] = peak if node not in peaks else torch.maximum(peaks[node], peak)

    run_images(module, images, mlps, see)
    count = 0
    for node, mlp in mlps.items():
        neurons = massive(peaks[node])
        if neurons:
            _move_out(module, mlp, neurons)
            count += len(neurons)
    if count:
        tidy(module)
    return count


def massive(peaks: torch.Tensor) -> list[int]:
    """Returns the few neurons, :data:`MOST` at most, whose peaks are :data:`RATIO` times those of all others or more.

    Args:
        peaks: Largest absolute value of each neuron, float [neurons].
    """
    order = peaks.argsort(descending=True).tolist()
    for count in range(min(MOST, len(order) - 1), 0, -1):
        rest = float(peaks[order[count]])
        if 0 < rest * RATIO <= float(peaks[order[count - 1]]):
            return sorted(order[:count])
    return []


@dataclass(frozen=True)
class _Mlp:
    first: Layer
    activation: fx.Node
    second: Layer


def _mlp(module: fx.GraphModule, second: Layer) -> _Mlp | None:
    """Returns the MLP whose second layer is given, if nothing else reads its inner tensors; None for other layers."""
    if second.node.target is not LINEAR:
        return None
    node = cast(fx.Node, second.node.args[0])
    while is_idle_dropout(node) and only_user(node) is not None:
        node = cast(fx.Node, node.args[0])
    if not is_call(node, *ACTIVATIONS) or only_user(node) is None:
        return None
    first = find_layer(module, cast(fx.Node, node.args[0]))
    if first is None or first.node.target is not LINEAR or only_user(first.node) is not node:
        return None
    return _Mlp(first, node, second)


def _move_out(module: fx.GraphModule, mlp: _Mlp, neurons: list[int]) -> None:
    first, second, source = mlp.first, mlp.second, mlp.first.node.args[0]
    with module.graph.inserting_before(second.node.next):
        values = []
        for neuron in neurons:
            row = slice(neuron, neuron + 1)
            own_bias = () if first.bias is None else (attach(module, first.bias[row]),)
            value = call(module, LINEAR, source, attach(module, first.weight[row]), *own_bias)
            value = call(module, mlp.activation.target, value, *mlp.activation.args[1:], **mlp.activation.kwargs)
            values.append(call(module, _aten.mul.Tensor, value, attach(module, second.weight[:, neuron])))
        total = functools.reduce(functools.partial(call, module, _aten.add.Tensor), [*values, second.node])
    second.node.replace_all_uses_with(total, delete_user_cb=lambda user: user is not total)
    kept = torch.ones(len(first.weight))
    kept[neurons] = 0
    bias = None if first.bias is None else first.bias * kept
    set_parameters(module, first.node, 1, weight=first.weight * kept[:, None], bias=bias)
    set_parameters(module, second.node, 1, weight=second.weight * kept)
