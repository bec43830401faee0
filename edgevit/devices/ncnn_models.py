"""Networks as ncnn's benchmark has them, where it shares a name with another definition but not its ops.

Most are converted from Caffe. The layers are those of ``benchmark/*.param`` in github.com/Tencent/ncnn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn


def ncnn_models() -> Mapping[str, Callable[[], nn.Module]]:
    """Returns what builds each network, by the name that it has elsewhere."""
    changes: Mapping[str, Callable[[Any], None]] = {
        "mobilenetv2_100": _expand_first,
        "mobilenetv3_large_100": _stride_later,
        "resnet18": _project_first,
        "resnet50": _stride_first,
    }
    return {
        "*AlexNet": _alexnet,
        "*GoogLeNet": _googlenet,
        "*ProxylessNAS": _proxyless,
        **{name: partial(_changed, name, change) for name, change in changes.items()},
    }


def _alexnet() -> nn.Module:
    """As Krizhevsky et al. (2012) had it: two groups, and local response normalization."""
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


def _googlenet() -> nn.Module:
    """With the 5 × 5 convolutions and the local response normalization of Szegedy et al. (arXiv 1409.4842)."""
    from torchvision.models.googlenet import GoogLeNet, Inception

    network: Any = GoogLeNet(aux_logits=False, init_weights=False)
    for inception in [module for module in network.modules() if isinstance(module, Inception)]:
        small = inception.branch3[1].conv
        inception.branch3[1].conv = nn.Conv2d(small.in_channels, small.out_channels, 5, padding=2, bias=False)
    network.maxpool1 = nn.Sequential(network.maxpool1, nn.LocalResponseNorm(5))
    network.conv3 = nn.Sequential(network.conv3, nn.LocalResponseNorm(5))
    built: nn.Module = network
    return built


def _proxyless() -> nn.Module:
    """With 32 channels in the first block."""
    from edgevit.devices.published_models import proxyless

    return proxyless(first_block=32)


def _changed(name: str, change: Callable[[Any], None]) -> nn.Module:
    """Builds timm's network of that name and changes it."""
    import timm

    built: nn.Module = timm.create_model(name)
    change(built)
    return built


def _expand_first(mobilenet: Any) -> None:
    """A 1 × 1 convolution is before the first depthwise one."""
    expand = (nn.Conv2d(32, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
    mobilenet.blocks[0] = nn.Sequential(*expand, *mobilenet.blocks[0])


def _stride_later(mobilenet: Any) -> None:
    """The last stride is one block later, and that block has fewer channels inside."""
    from timm.models._efficientnet_blocks import InvertedResidual, SqueezeExcite

    squeeze = partial(SqueezeExcite, rd_ratio=0.25, force_act_layer=nn.ReLU, gate_layer="hard_sigmoid")
    mobilenet.blocks[5][0].conv_dw.stride = (1, 1)
    mobilenet.blocks[5][1] = InvertedResidual(
        160, 160, 5, stride=2, exp_ratio=4.2, act_layer=nn.Hardswish, se_layer=squeeze
    )


def _project_first(resnet: Any) -> None:
    """The first block has a projection too."""
    resnet.layer1[0].downsample = nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64))


def _stride_first(resnet: Any) -> None:
    """The strides are in the 1 × 1 convolutions, as He et al. (arXiv 1512.03385) had them."""
    for layer in (resnet.layer2, resnet.layer3, resnet.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
