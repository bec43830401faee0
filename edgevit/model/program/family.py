"""Tells which family a network is of, by what its captured graph computes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx
from torch.export import ExportedProgram

from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.layers import argument
from edgevit.results.family import Family

_CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding)


def family_of(program: ExportedProgram) -> Family:
    """Returns the family of a captured network.

    A network whose only convolution cuts the image into patches that do not overlap is a ``vit``, also one with windows
    (Swin) or without attention (an MLP-Mixer): no layer of it knows which patches are neighbours but by what it learns. Of
    the others, one with attention is a ``hybrid``.
    """
    windows = list(_windows(program))
    if len(windows) == 1 and windows[0][0] == windows[0][1] and min(windows[0][0]) > 1:
        return "vit"
    return "hybrid" if is_transformer(program) else "cnn"


def _windows(program: ExportedProgram) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yields height and width of the window, and the strides, of each convolution that sees more than one pixel."""
    for part in program.graph_module.modules():
        if not isinstance(part, fx.GraphModule):
            continue
        for node in part.graph.nodes:
            if node.op != "call_function" or node.target not in _CONVOLUTIONS:
                continue
            weight = argument(node, 1, "weight")
            window = tuple(weight.meta["val"].shape[2:])
            strides = argument(node, 3, "stride") or (1, 1)
            if max(window) > 1:
                yield window, tuple(strides) * (2 if len(strides) == 1 else 1)
