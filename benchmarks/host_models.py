"""The models that predictions for the host are checked on; no result of theirs is used by a calibration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import nn

from edgevit.model.random_weights import randomize
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.spec.token_plan import TokenPlan, parse_plans
from edgevit.tokens.plan import with_fewer_tokens

SIDE = 224
ModelMaker = Callable[[], tuple[nn.Module, int]]
"""Makes a model, and gives the side of its image in pixels."""
Set = Literal["unseen", "known"]
"""Of models: ones of whose single errors nothing was chosen (a first run of all of them had shown that large networks were
predicted too short), and ones whose errors the features and networks of a calibration were chosen with."""
_NAMES: dict[Set, tuple[str, ...]] = {
    "unseen": (
        "deit_small_patch16_224", "mobilenetv2_140", "mobilenetv3_large_100", "tf_efficientnet_lite1", "resnet34", "mobilevit_s",
        "levit_128", "regnetx_004", "convnext_femto", "efficientformer_l3", "tiny_vit_11m_224", "mobilenetv4_conv_medium",
        "edgenext_x_small", "pvt_v2_b1", "repvit_m1_0",
    ),
    "known": (
        "deit_tiny_patch16_224", "mobilenetv2_100", "mobilenetv3_small_100", "tf_efficientnet_lite0", "resnet18", "mobilevit_xxs",
        "levit_128s", "regnetx_002", "convnext_atto", "mobilevit_xs", "efficientformer_l1", "tiny_vit_5m_224",
        "mobilenetv4_conv_small", "edgenext_xx_small", "pvt_v2_b0", "repvit_m0_9",
    ),
}  # fmt: skip
"""Of timm."""
_PLANS = "squeeze:0.7@4,7,10", "evit:0.7@4,7,10"
_REDUCED: dict[Set, dict[str, tuple[str, str]]] = {
    "unseen": {
        "deit_small_squeeze": ("deit_small_patch16_224", _PLANS[0]), "vit_small_evit": ("vit_small_patch16_224", _PLANS[1]),
    },
    "known": {
        "vit_tiny_squeeze": ("vit_tiny_patch16_224", _PLANS[0]), "deit_tiny_evit": ("deit_tiny_patch16_224", _PLANS[1]),
    },
}  # fmt: skip
"""Token-reduced models by name: timm's name, and the plan."""


def timm_model(name: str) -> tuple[nn.Module, int]:
    """Makes a model of timm with random weights, and gives the side of its image in pixels."""
    ensure_torchvision_schemas()
    import timm

    torch.manual_seed(0)
    module = timm.create_model(name, pretrained=False)
    randomize(module, (SIDE, SIDE), seed=0)
    return module, SIDE


def reduced_model(name: str, plan: str) -> tuple[nn.Module, int]:
    """Makes a model of timm with fewer tokens, and gives the side of its image in pixels."""
    module, side = timm_model(name)
    (parsed,) = parse_plans(plan)
    assert isinstance(parsed, TokenPlan)
    return with_fewer_tokens(module, parsed, "gather", (side, side)).eval(), side


MODELS: dict[Set, dict[str, ModelMaker]] = {
    each: {
        **{name: functools.partial(timm_model, name) for name in _NAMES[each]},
        **{name: functools.partial(reduced_model, *given) for name, given in _REDUCED[each].items()},
    }
    for each in get_args(Set)
}
