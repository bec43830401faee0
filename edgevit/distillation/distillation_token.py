"""The distillation token: a second head that learns from the teacher, while the class head learns from the labels.

Touvron et al., "Training data-efficient image transformers & distillation through attention", 2021, section 4. Both
heads are averaged at inference, which timm's model does in eval mode.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas


def train_both_heads(module: nn.Module) -> bool:
    """Makes a model with two heads return the logits of both while it is in training mode, as timm's models can.

    Returns:
        Whether it has two heads.
    """
    enable = getattr(module, "set_distilled_training", None)
    if enable is None:
        return False
    enable(True)
    return getattr(module, "head_dist", None) is not None


def with_distillation_token(vit: nn.Module) -> nn.Module:
    """Gives a plain vision transformer a distillation token and a head of its own, both copied from those of the class.

    Args:
        vit: timm's ``VisionTransformer`` whose class token is read by the head; it stays as it is.

    Returns:
        timm's ``VisionTransformerDistilled`` in the same mode.

    Raises:
        UsageError: it is another kind of model, has register tokens, or a head that does not read the class token.
    """
    ensure_torchvision_schemas()
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    if type(vit) is not VisionTransformer:
        raise UsageError(
            f"{type(vit).__name__} cannot be given a distillation token",
            "only a plain vision transformer of timm can; leave the token out: the loss works without it",
        )
    has_class_token = vit.global_pool == "token" and vit.num_prefix_tokens == 1 and vit.pos_embed is not None
    if not has_class_token or not vit.num_classes:
        raise UsageError(
            "only a vision transformer whose head reads a class token, with a position table and without register tokens, can"
            " be given a distillation token",
            "leave the token out: the loss works without it",
        )
    values = with_token_values(vit.state_dict(), has_class_position=not vit.no_embed_class)
    distilled: Any = copy.deepcopy(vit)
    distilled.__class__ = VisionTransformerDistilled  # whatever the settings that the model was built with
    distilled.num_prefix_tokens, distilled.distilled_training = 2, False
    distilled.dist_token = nn.Parameter(values["dist_token"])
    distilled.pos_embed = nn.Parameter(values["pos_embed"].clone())
    distilled.head_dist = copy.deepcopy(vit.head)
    return distilled  # type: ignore[no-any-return]


def with_token_values(values: Mapping[str, Tensor], *, has_class_position: bool = True) -> dict[str, Tensor]:
    """Returns the weights of a plain vision transformer for one with a distillation token, which begins as the class token.

    Args:
        values: State dict of timm's ``VisionTransformer``: ``cls_token`` [1, 1, width], ``pos_embed`` [1, positions, width]
            and, unless its classifier is left out, ``head.weight`` [classes, width] and ``head.bias`` [classes].
        has_class_position: Whether the first of the positions is that of the class token.
    """
    head = {name.replace("head.", "head_dist.", 1): value for name, value in values.items() if name.startswith("head.")}
    table = values["pos_embed"]
    positions = torch.cat([table[:, :1], table], dim=1) if has_class_position else table
    return {**values, **head, "dist_token": values["cls_token"].clone(), "pos_embed": positions}
