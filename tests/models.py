"""Small models that tests share, with weights that make every part of them count, and how far two programs differ.

:func:`vit` has 16 patches and is for graphs and rewrites; :func:`small_vit` has 64 and comes with every kind of head and
prefix token, for token reduction; :class:`WideResidual` is a network that 8-bit residual adds ruin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.layers import run_images  # noqa: E402

SIDE = 32
"""Height and width in pixels of the images of every model here."""

WIDTH, DEPTH, PATCHES = 32, 2, 16
"""Of :func:`vit`."""

SMALL_VIT_PATCHES = 64
SMALL_VIT_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "class token": ("vit_tiny_patch16_224", {}),
    "distilled": ("deit_tiny_distilled_patch16_224", {}),
    "registers": ("vit_tiny_patch16_224", {"reg_tokens": 4}),
    "position without class": ("vit_tiny_patch16_224", {"no_embed_class": True, "reg_tokens": 4}),
    "average": ("vit_tiny_patch16_224", {"global_pool": "avg"}),
    "average without class": ("vit_tiny_patch16_224", {"global_pool": "avg", "class_token": False}),
    "average with registers": ("vit_tiny_patch16_224", {"global_pool": "avg", "class_token": False, "reg_tokens": 4}),
}
"""Kinds of heads and prefix tokens of :func:`small_vit`."""
SMALL_VIT_PREFIX = dict(zip(SMALL_VIT_KINDS, (1, 2, 5, 5, 1, 0, 4), strict=True))
"""Number of prefix tokens of each kind."""


def vit(distilled: bool = False, **given: Any) -> nn.Module:
    """Returns a ViT of two blocks of width 32 with two heads, on 4 x 4 patches of 8 x 8 pixels."""
    torch.manual_seed(0)
    given = {"img_size": SIDE, "patch_size": 8, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": 2, **given}
    return sharpen((VisionTransformerDistilled if distilled else VisionTransformer)(num_classes=5, **given))


def sharpen(module: nn.Module, attention: float = 12) -> nn.Module:
    """Lets attention differ between tokens and images, as in a trained model: random weights make it uniform.

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
    """Returns noise, float32 [count, 3, side, side]."""
    return np.random.default_rng(5).standard_normal((count, 3, side, side), dtype=np.float32)


def program(module: nn.Module, side: int = SIDE) -> ExportedProgram:
    """Captures a module for square images."""
    return capture(module.eval(), (side, side))


def difference(
    one: ExportedProgram | fx.GraphModule, other: ExportedProgram | fx.GraphModule, side: int = SIDE
) -> float:
    """Returns the largest difference of logits, relative to the largest logit."""
    first, second = (
        run_images(each.module() if isinstance(each, ExportedProgram) else each, images(side=side))  # type: ignore[arg-type]
        for each in (one, other)
    )
    assert first.std() > 1e-3  # or anything would be the same
    return float((second - first).abs().max() / first.abs().max())


def ops(module: fx.GraphModule) -> list[str]:
    """Returns the names of all ops in execution order, such as "linear" and "permute"."""
    return [
        node.target._schema.name.rpartition("::")[2]
        for node in module.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
    ]


def small_vit(kind: str = "class token", **given: Any) -> Any:
    """Returns a plain vision transformer of few, small blocks on 8 x 8 patches, whose attention is not uniform."""
    name, special = SMALL_VIT_KINDS[kind]
    torch.manual_seed(0)
    sizes = {"img_size": SIDE, "patch_size": 4, "embed_dim": 48, "depth": 3, "num_heads": 3, "num_classes": 5}
    model = timm.create_model(name, **{**sizes, **special, **given}).eval()
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight.mul_(12)
        if model.pos_embed is not None:
            nn.init.normal_(model.pos_embed, std=1.0)
        nn.init.normal_(model.head.weight, std=0.5)
    return model


def image(seed: int = 0, batch: int = 1, flat: bool = False) -> Tensor:
    """Returns noise float32 [batch, 3, 32, 32]; with ``flat``, three quarters are of one colour and patches equal."""
    made = torch.randn(batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    if flat:
        made[:, :, 8:] = 0.5
    return made


def swap_patches(pixels: Tensor, order: Sequence[int] | Tensor) -> Tensor:
    """Returns the image whose patch i, of those of :func:`small_vit`, is patch ``order[i]`` of the given one."""
    batch = len(pixels)
    patches = pixels.reshape(batch, 3, 8, 4, 8, 4).permute(0, 2, 4, 1, 3, 5).reshape(batch, SMALL_VIT_PATCHES, 3, 4, 4)
    patches = patches[:, torch.as_tensor(order)].reshape(batch, 8, 8, 3, 4, 4)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(batch, 3, SIDE, SIDE)


class WideResidual(nn.Module):
    """A convolutional classifier in which a residual add carries channels of very different ranges, as in a ViT.

    What one add adds, the next subtracts: in float nothing is lost, with one 8-bit range for the sum nearly everything.
    """

    default_cfg: ClassVar = {
        "input_size": (3, SIDE, SIDE),
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "crop_pct": 1.0,
    }

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.offset = nn.Parameter(torch.linspace(-1000, 1000, 16).reshape(1, 16, 1, 1), requires_grad=False)
        self.body = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.head = nn.Linear(32 * 8 * 8, 64, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        wide = torch.relu(self.stem(images)) + self.offset
        narrow = wide - self.offset
        return cast(torch.Tensor, self.head(torch.relu(self.body(narrow)).flatten(1)))


def wide_residual() -> nn.Module:
    """Factory for ``--model``: "package.module:wide_residual"."""
    return WideResidual().eval()
