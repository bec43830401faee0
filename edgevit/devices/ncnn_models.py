"""Networks as ncnn's benchmark has them, where it shares a name with another definition but not its ops.

Most are converted from Caffe. The layers are those of ``benchmark/*.param`` in github.com/Tencent/ncnn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn


def ncnn_models() -> Mapping[str, Callable[[], nn.Module]]:
    """Returns what builds each network, by the name that it has elsewhere."""
    return {
        "*AlexNet": _alexnet,
        "*GoogLeNet": _googlenet,
        "*ProxylessNAS": _proxyless,
        "mobilenetv2_100": _mobilenet_v2,
        "mobilenetv3_large_100": _mobilenet_v3,
        "resnet18": _resnet18,
        "resnet50": _resnet50,
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

    built = GoogLeNet(aux_logits=False, init_weights=False)
    for inception in [module for module in built.modules() if isinstance(module, Inception)]:
        small = inception.branch3[1].conv
        inception.branch3[1].conv = nn.Conv2d(small.in_channels, small.out_channels, 5, padding=2, bias=False)
    built.maxpool1 = nn.Sequential(built.maxpool1, nn.LocalResponseNorm(5))
    built.conv3 = nn.Sequential(built.conv3, nn.LocalResponseNorm(5))
    return built


def _mobilenet_v2() -> nn.Module:
    """With a 1 × 1 convolution before the first depthwise one."""
    import timm

    built = timm.create_model("mobilenetv2_100")
    expand = (nn.Conv2d(32, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
    built.blocks[0] = nn.Sequential(*expand, *built.blocks[0])
    return built


def _mobilenet_v3() -> nn.Module:
    """With the last stride one block later, and fewer channels in that block."""
    import timm
    from timm.models._efficientnet_blocks import InvertedResidual, SqueezeExcite

    built = timm.create_model("mobilenetv3_large_100")
    squeeze = partial(SqueezeExcite, rd_ratio=0.25, force_act_layer=nn.ReLU, gate_layer="hard_sigmoid")
    built.blocks[5][0].conv_dw.stride = (1, 1)
    built.blocks[5][1] = InvertedResidual(
        160, 160, 5, stride=2, exp_ratio=4.2, act_layer=nn.Hardswish, se_layer=squeeze
    )
    return built


def _proxyless() -> nn.Module:
    """With 32 channels in the first block."""
    from edgevit.devices.published_models import proxyless

    return proxyless(first_block=32)


def _resnet18() -> nn.Module:
    """With a projection in the first block too."""
    import timm

    built = timm.create_model("resnet18")
    built.layer1[0].downsample = nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64))
    return built


def _resnet50() -> nn.Module:
    """With the strides in the 1 × 1 convolutions, as He et al. (arXiv 1512.03385) had them."""
    import timm

    built = timm.create_model("resnet50")
    for layer in (built.layer2, built.layer3, built.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    return built
