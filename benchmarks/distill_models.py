"""Networks that ``benchmarks.distill`` trains from random weights, as factories for ``edgevit distill``."""

from __future__ import annotations

from torch import nn

from edgevit.model.bundled.digits import digits_vit
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

_CIFAR = {
    "input_size": (3, 32, 32),
    "mean": (0.4914, 0.4822, 0.4465),
    "std": (0.2470, 0.2435, 0.2616),
    "interpolation": "bilinear",
    "crop_pct": 1.0,
}
"""Statistics of the 50,000 training images of CIFAR-10."""


def digits_vit_of_64_patches() -> nn.Module:
    """Returns ``digits_vit`` with patches of 4 x 4 pixels: float32 [n, 3, 32, 32] to logits [n, 10]."""
    return digits_vit(4)


def cifar_cnn(num_classes: int = 10) -> nn.Module:
    """Returns a ResNet for images of 32 x 32 pixels: timm's, whose first layer keeps the size, with 1.2 M parameters."""
    ensure_torchvision_schemas()
    from timm.models.resnet import BasicBlock, ResNet

    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=num_classes, channels=(32, 64, 128, 256))
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return _with_config(net, num_classes)


def cifar_vit(num_classes: int = 10) -> nn.Module:
    """Returns a plain vision transformer for images of 32 x 32 pixels: 64 patches, 6 blocks of width 96."""
    ensure_torchvision_schemas()
    from timm.models import VisionTransformer

    vit = VisionTransformer(
        img_size=32, patch_size=4, num_classes=num_classes, embed_dim=96, depth=6, num_heads=3, mlp_ratio=4.0
    )
    return _with_config(vit, num_classes)


def photo_vit(num_classes: int = 10) -> nn.Module:
    """Returns a vision transformer that costs less than the decoding of a photo: 49 patches of 32 x 32 pixels, 4 blocks of width 96."""
    ensure_torchvision_schemas()
    from timm.models import VisionTransformer

    vit = VisionTransformer(img_size=224, patch_size=32, num_classes=num_classes, embed_dim=96, depth=4, num_heads=3)
    return _with_config(vit, num_classes, 224)


def _with_config(net: nn.Module, num_classes: int, side: int = 32) -> nn.Module:
    config = {**_CIFAR, "input_size": (3, side, side), "num_classes": num_classes}
    net.pretrained_cfg = net.default_cfg = config  # type: ignore[assignment]
    return net
