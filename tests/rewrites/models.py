"""Small models to rewrite, with weights that make every part of them count, and how far two programs differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgevit.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import fx, nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.capture import capture  # noqa: E402
from edgevit.quantization.layers import run_images  # noqa: E402

SIDE, WIDTH, DEPTH, PATCHES = 32, 32, 2, 16


def vit(distilled: bool = False, **given: Any) -> nn.Module:
    """Two blocks of width 32 with two heads, on 16 patches of 8 x 8 pixels."""
    torch.manual_seed(0)
    given = {"img_size": SIDE, "patch_size": 8, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": 2, **given}
    return sharpen((VisionTransformerDistilled if distilled else VisionTransformer)(num_classes=5, **given))


def sharpen(module: nn.Module, attention: float = 12) -> nn.Module:
    """Lets attention differ between tokens and images, as in a trained model: random weights make it flat.

    In a deep model a factor of 12 for ``attention`` makes chaos, in which rounding alone changes the logits.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("qkv.weight"):
                parameter.mul_(attention)
            elif parameter.ndim == 1:  # biases, norms, layer scale
                parameter.add_(0.3 * torch.randn(parameter.shape))
            elif name.endswith(("pos_embed", "_token", "head.weight", "head_dist.weight")):
                nn.init.normal_(parameter, std=0.5)
    return module.eval()


def images(count: int = 3, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((count, 3, side, side), dtype=np.float32)


def program(module: nn.Module, side: int = SIDE) -> ExportedProgram:
    return capture(module.eval(), (side, side))


def difference(
    one: ExportedProgram | fx.GraphModule, other: ExportedProgram | fx.GraphModule, side: int = SIDE
) -> float:
    """Largest difference of logits, relative to the largest logit."""
    first, second = (
        run_images(each.module() if isinstance(each, ExportedProgram) else each, images(side=side))  # type: ignore[arg-type]
        for each in (one, other)
    )
    assert first.std() > 1e-3  # or anything would be the same
    return float((second - first).abs().max() / first.abs().max())


def ops(module: fx.GraphModule) -> list[str]:
    """Names of all ops in the order in which they run: "linear", "permute"."""
    return [
        node.target._schema.name.rpartition("::")[2]
        for node in module.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
    ]
