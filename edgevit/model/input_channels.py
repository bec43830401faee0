"""How many channels the images of a module have, read from the module itself."""

from __future__ import annotations

import torch
from torch import fx, nn

_RGB = 3


def input_channels(module: nn.Module) -> int:
    """Returns the number of channels of the images that a module takes, to make an image to try it on.

    That of a captured program is in its graph; of any other module it is what its first convolution takes, or three where it
    has none.

    Args:
        module: float32 [n, channels, h, w] to logits [n, classes].
    """
    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            given = next(node for node in part.graph.nodes if node.op == "placeholder").meta.get("val")
            if isinstance(given, torch.Tensor) and given.ndim == 4:
                return int(given.shape[1])
        elif isinstance(part, nn.Conv2d):
            return part.in_channels
    return _RGB
