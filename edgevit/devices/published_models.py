"""Networks that published measurements name: timm's by name, and those that timm lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from edgevit.devices.evidence import NCNN
from edgevit.devices.ncnn_models import ncnn_models
from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

_TAKES_IMAGE_SIZE = ("vit_", "deit", "swin", "beit", "sequencer", "mixer", "resmlp")
_ANY_SIZE = ("efficientvit_b", "efficientvit_l", "mobilevit", "levit", "repvit", "nextvit")
"""Names that contain one of the former but have no such argument."""

_SHUFFLE_STAGES = ((240, 4), (480, 8), (960, 4))
_MOBILE_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Output channels and stride of each pair of a depthwise and a 1 × 1 convolution (Howard et al., arXiv 1704.04861)."""
_PROXYLESS = (
    ("ir_r1_k3_s1_e3_c32",),
    ("ir_r1_k7_s2_e3_c40", "ir_r1_k3_s1_e3_c40", "ir_r2_k5_s1_e3_c40"),
    ("ir_r1_k7_s2_e6_c80", "ir_r3_k5_s1_e3_c80"),
    ("ir_r1_k5_s1_e6_c96", "ir_r3_k5_s1_e3_c96"),
    ("ir_r2_k7_s2_e6_c192", "ir_r2_k7_s1_e3_c192"),
    ("ir_r1_k7_s1_e6_c320",),
)
"""Stages of ProxylessNAS for phones (Cai et al., arXiv 1812.00332) after its first two blocks, in timm's notation."""


def build_published(model: str, size: tuple[int, int]) -> nn.Module:
    """Builds a network with random weights, its branches merged as for inference.

    Args:
        model: timm's name, or the published one after "*".
        size: Height and width of its input.

    Raises:
        UsageError: there is no definition of it.
    """
    with products_for_attention():
        return _build(model, size)


@contextmanager
def products_for_attention() -> Iterator[None]:
    """Lets timm's models that are built meanwhile compute attention by products and a softmax, as files have it."""
    ensure_torchvision_schemas()
    from timm.layers import set_fused_attn, use_fused_attn

    before = use_fused_attn(), use_fused_attn(experimental=True)
    set_fused_attn(False)  # of the process, for what is built
    try:
        yield
    finally:
        set_fused_attn(*before)


def _build(model: str, size: tuple[int, int]) -> nn.Module:
    import timm
    from timm.utils.model import reparameterize_model

    if model.endswith(NCNN):
        of_ncnn = ncnn_models().get(model.removesuffix(NCNN))
        if of_ncnn is None:
            raise UsageError(f"there is no definition of {model}", "such rows are counted as not mapped")
        return of_ncnn().eval()
    if model.startswith("*"):
        name = model[1:]
        build = _others().get(name)
        if build is None:
            raise UsageError(f"there is no definition of {name}", "such rows are counted as not mapped")
        return build().eval()
    if not timm.is_model(model):
        raise UsageError(f"timm has no model {model!r}", "such rows are counted as not mapped")
    takes_size = any(part in model for part in _TAKES_IMAGE_SIZE) and not any(part in model for part in _ANY_SIZE)
    built = timm.create_model(model, **({"img_size": size if size[0] != size[1] else size[0]} if takes_size else {}))
    merged: nn.Module = reparameterize_model(built.eval())
    return merged.eval()


def _others() -> Mapping[str, Callable[[], nn.Module]]:
    import timm
    from timm.models import efficientnet
    from timm.models.resnet import Bottleneck, ResNet
    from torchvision import models

    googlenet = partial(models.googlenet, aux_logits=False, init_weights=False)
    v2 = efficientnet._gen_mobilenet_v2
    vit = partial(timm.create_model, norm_layer=_NoNorm)
    large, small = "mobilenetv3_large_100", "mobilenetv3_small_100"
    return {
        "SqueezeNet": models.squeezenet1_1,
        "SqueezeNet v1.1": models.squeezenet1_1,
        "SqueezeNet v1.0": models.squeezenet1_0,
        "SqueezeNet 1.0": models.squeezenet1_0,
        **dict.fromkeys(("GoogLeNet", "GoogLeNet/Inception-v1", "Inception-v1"), googlenet),
        "AlexNet": models.alexnet,
        "ShuffleNetV2": models.shufflenet_v2_x1_0,
        "ShuffleNetV2 0.5x": models.shufflenet_v2_x0_5,
        "ShuffleNetV2 1.0x": models.shufflenet_v2_x1_0,
        **dict.fromkeys(("ShuffleNetV2 1.5x", "ShuffleNetV2_x1_5"), models.shufflenet_v2_x1_5),
        **dict.fromkeys(("ShuffleNetV2 2.0x", "ShuffleNetV2_x2_0"), models.shufflenet_v2_x2_0),
        "ShuffleNetV1 1.0x (g=3)": _shufflenet_v1,
        "MnasNet 1.3": models.mnasnet1_3,
        "ProxylessNAS": proxyless,
        **{
            name: partial(_mobilenet_v1, width)
            for width, names in ((0.25, ("0.25", "x0_25")), (0.5, ("0.5", "x0_5")), (0.75, ("0.75", "x0_75")))
            for name in (f"MobileNetV1 {names[0]}", f"MobileNetV1_{names[1]}")
        },
        "MobileNetV1_ssld": partial(timm.create_model, "mobilenetv1_100"),
        "MobileNetV2_ssld": partial(timm.create_model, "mobilenetv2_100"),
        "MobileNetV2_x0_25": partial(v2, "mobilenetv2_140", 0.25),
        "MobileNetV2 1.3": partial(v2, "mobilenetv2_140", 1.3),
        "MobileNetV2_x2_0": partial(v2, "mobilenetv2_140", 2.0),
        **dict.fromkeys(("MobileNetV3", "MobileNetV3_large_x1_0_ssld"), partial(timm.create_model, large)),
        "MobileNetV3_small_x1_0_ssld": partial(timm.create_model, small),
        "ResNeXt-26 32x4d": partial(ResNet, Bottleneck, [2, 2, 2, 2], cardinality=32, base_width=4),
        "PP-ResNet50": partial(timm.create_model, "resnet50"),
        "GhostNet_x1_3_ssld": partial(timm.create_model, "ghostnet_130"),
        "resmlp12_relu": partial(timm.create_model, "resmlp_12_224"),
        "ViT-Ti/16 (BatchNorm)": partial(vit, "vit_tiny_patch16_224"),
        "ViT-S/16 (BatchNorm)": partial(vit, "vit_small_patch16_224"),
        "ViT-B/16 (BatchNorm)": partial(vit, "vit_base_patch16_224"),
    }


class _NoNorm(nn.Module):
    """A batch normalization that folds into its neighbours."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _conv(into: int, out: int, window: int, stride: int = 1, groups: int = 1) -> Sequence[nn.Module]:
    conv = nn.Conv2d(into, out, window, stride, window // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(out)


def _mobilenet_v1(width: float) -> nn.Module:
    into = max(8, int(32 * width))
    layers = [*_conv(3, into, 3, 2), nn.ReLU6()]
    for channels, stride in _MOBILE_V1:
        out = max(8, int(channels * width))
        layers += [*_conv(into, into, 3, stride, into), nn.ReLU6(), *_conv(into, out, 1), nn.ReLU6()]
        into = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, 1000))


def proxyless(first_block: int = 16) -> nn.Module:
    """Builds ProxylessNAS with a number of channels in its first block."""
    from timm.models._efficientnet_builder import decode_arch_def, round_channels
    from timm.models.efficientnet import EfficientNet

    expansion = 3 * 16 / first_block  # of the second block, which always has 48 channels inside
    first, second = f"ds_r1_k3_s1_c{first_block}_noskip", f"ir_r1_k5_s2_e{expansion}_c32"
    stages = [[first], [second, *_PROXYLESS[0]], *map(list, _PROXYLESS[1:])]
    blocks = decode_arch_def(stages)
    built: nn.Module = EfficientNet(
        block_args=blocks,
        num_features=1280,
        stem_size=32,
        fix_stem=False,
        round_chs_fn=partial(round_channels, multiplier=1.0),
        act_layer=nn.ReLU6,
        norm_layer=nn.BatchNorm2d,
    )
    return built


def _shufflenet_v1() -> nn.Module:
    """ShuffleNet with three groups (Zhang et al., arXiv 1707.01083)."""
    layers = [*_conv(3, 24, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    into = 24
    for out, blocks in _SHUFFLE_STAGES:
        for block in range(blocks):
            layers.append(_ShuffleBlock(into, out, 2 if block == 0 else 1))
            into = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, 1000))


class _ShuffleBlock(nn.Module):
    _GROUPS = 3

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        middle, made = out // 4, out - into if stride == 2 else out
        self._stride = stride
        self._squeeze = nn.Sequential(*_conv(into, middle, 1, groups=1 if into == 24 else self._GROUPS), nn.ReLU())
        self._spatial = nn.Sequential(*_conv(middle, middle, 3, stride, middle))
        self._expand = nn.Sequential(*_conv(middle, made, 1, groups=self._GROUPS))
        self._pool = nn.AvgPool2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self._squeeze(x)
        batch, channels, height, width = y.shape
        y = y.view(batch, self._GROUPS, channels // self._GROUPS, height, width).transpose(1, 2)
        y = self._expand(self._spatial(y.reshape(batch, channels, height, width)))
        return torch.relu(torch.cat([self._pool(x), y], 1) if self._stride == 2 else x + y)
