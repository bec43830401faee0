"""The two digit models: a plain ViT to compress, and the small CNN that is its teacher.

Both take float32 [n, 3, 32, 32] normalized as their ``default_cfg`` says (pixels in 0..1, mean 0.5, standard deviation
0.5, thus -1..1) and return logits float32 [n, 10]. The factories return random weights; the trained ones are the
safetensors files beside this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

from edgevit.data.digits import CLASSES, IMAGE_SIDE
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

if TYPE_CHECKING:
    from timm.models import VisionTransformer

INPUT_CONFIG: Final[dict[str, object]] = {
    "input_size": (3, IMAGE_SIDE, IMAGE_SIDE),
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bilinear",
    "crop_pct": 1.0,
    "num_classes": CLASSES,
    "label_names": tuple(map(str, range(CLASSES))),
}
"""Preprocessing contract of both models, with timm's keys."""


def digits_vit(patch_size: int = 2) -> VisionTransformer:
    """Returns a plain vision transformer for the digits, with random weights.

    Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, made small: 16 x 16 patches of 2 x 2 pixels and a
    class token (257 tokens), 6 blocks of width 48 with 3 heads, no convolutional stem.

    Args:
        patch_size: Side of a patch in pixels, a divisor of 32; the bundled weights are for 2.

    Returns:
        A timm ``VisionTransformer`` in training mode whose ``default_cfg`` and ``pretrained_cfg`` are
        ``INPUT_CONFIG``.
    """
    ensure_torchvision_schemas()
    from timm.models import VisionTransformer

    model = VisionTransformer(
        img_size=IMAGE_SIDE,
        patch_size=patch_size,
        num_classes=CLASSES,
        embed_dim=48,
        depth=6,
        num_heads=3,
        mlp_ratio=4.0,
    )
    for attribute in ("default_cfg", "pretrained_cfg"):
        setattr(model, attribute, dict(INPUT_CONFIG))
    return model


class DigitsCnn(nn.Module):
    """A small convolutional network: three stages of two conv-bn-relu blocks, then the mean over pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(3, 24), *_block(24, 24), nn.MaxPool2d(2),
            *_block(24, 48), *_block(48, 48), nn.MaxPool2d(2),
            *_block(48, 96), *_block(96, 96), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(96, CLASSES)
        self.default_cfg = self.pretrained_cfg = dict(INPUT_CONFIG)

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits float32 [n, 10] of images float32 [n, 3, 32, 32]."""
        logits: Tensor = self.head(self.features(images))
        return logits


def digits_cnn() -> DigitsCnn:
    """Returns the convolutional teacher for the digits, with random weights, in training mode."""
    return DigitsCnn()


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
