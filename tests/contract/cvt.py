"""CvT, a family that timm lacks, as a user would bring it: ``tests.contract.cvt:cvt_13``."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


class CvtClassifier(nn.Module):
    """Returns the logits of a transformers classifier as a plain tensor, and states its preprocessing as timm does."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        from transformers import CvtConfig, CvtForImageClassification

        self.net = CvtForImageClassification(CvtConfig(num_labels=num_classes))
        self.default_cfg = {
            "input_size": (3, 224, 224),
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "interpolation": "bicubic",
            "crop_pct": 0.875,
        }

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, 224, 224] to logits [n, classes]."""
        return cast(torch.Tensor, self.net(pixel_values).logits)


def cvt_13(num_classes: int = 1000) -> nn.Module:
    """The shape of microsoft/cvt-13, which is also transformers' default, with random weights."""
    return CvtClassifier(num_classes)
