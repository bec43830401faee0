"""Writes the patch embedding of a vision transformer as a linear layer: runtimes have faster int8 for these.

A convolution whose kernel is as large as its stride reads every pixel once, so it is a product of patches and weights.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, Layer, argument, attach, find_layers
from edgevit.model.program.nodes import RESHAPES, call, is_call, only_user, shape, tidy

_aten = torch.ops.aten


def patches_as_linear(module: fx.GraphModule, images: np.ndarray) -> int:
    """Replaces a convolution that makes tokens of image patches by reshaping and a linear layer, in place.

    Later convolutions stay: int8 convolutions of many channels are fast enough.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many were replaced.
    """
    replaced = 0
    for layer in find_layers(module):
        tokens = _tokens(layer.node)
        if tokens is None or not _reads_patches(layer):
            continue
        pixels = cast(fx.Node, layer.node.args[0])
        (batch, channels, height, width), (rows, columns) = shape(pixels), layer.weight.shape[2:]
        down, across = height // rows, width // columns
        with module.graph.inserting_before(layer.node):
            patches = call(module, _aten.reshape.default, pixels, [batch, channels, down, rows, across, columns])
            patches = call(module, _aten.permute.default, patches, [0, 2, 4, 1, 3, 5])
            patches = call(module, _aten.reshape.default, patches, [batch, down * across, channels * rows * columns])
            bias = () if layer.bias is None else (attach(module, layer.bias),)
            linear = call(module, LINEAR, patches, attach(module, layer.weight.flatten(1)), *bias)
        tokens.replace_all_uses_with(linear)
        replaced += 1
    if replaced:
        tidy(module)
    return replaced


def _reads_patches(layer: Layer) -> bool:
    """Returns whether a convolution reads the model's image in patches that cover it without overlap."""
    node, source, kernel = layer.node, cast(fx.Node, layer.node.args[0]), tuple(layer.weight.shape[2:])
    image = shape(source)
    if node.target is not _aten.conv2d.default or source.op != "placeholder" or len(image) != 4 or layer.groups != 1:
        return False
    stride, padding, dilation = (
        _pair(argument(node, *place), default)
        for place, default in (((3, "stride"), 1), ((4, "padding"), 0), ((5, "dilation"), 1))
    )
    fills = image[2] % kernel[0] == 0 and image[3] % kernel[1] == 0
    return stride == kernel and padding == (0, 0) and dilation == (1, 1) and fills


def _pair(given: list[int] | int | None, default: int) -> tuple[int, int]:
    values = [default] if given is None else [given] if isinstance(given, int) else list(given)
    return values[0], values[-1]


def _tokens(conv: fx.Node) -> fx.Node | None:
    """Returns the node that makes [batch, tokens, channels] of a convolution's output; None if others read that."""
    flat = only_user(conv)
    tokens = only_user(flat) if flat is not None else None
    if flat is None or tokens is None or len(shape(conv)) != 4:
        return None
    batch, channels, height, width = shape(conv)
    if not is_call(flat, _aten.flatten.using_ints, *RESHAPES) or shape(flat) != (batch, channels, height * width):
        return None
    swaps = is_call(tokens, _aten.transpose.int) and {place % 3 for place in cast(list[int], tokens.args[1:3])} == {
        1,
        2,
    }
    permutes = is_call(tokens, _aten.permute.default) and list(cast(list[int], tokens.args[1])) == [0, 2, 1]
    return tokens if swaps or permutes else None
