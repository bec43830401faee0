"""A classifier made of an image tower and embeddings of classes, as CLIP classifies without training.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021, section 3.1: the logit of a class is the
cosine of the image's features and the class's embedding, times a scale. The embeddings are the weights of the last linear layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgevit.data.class_embeddings import ClassEmbeddings
from edgevit.errors import UsageError
from edgevit.model.program.outputs import named_tensors

_OF_CLIP = "image_embeds"
"""What transformers calls the features of CLIP's image tower, among its other outputs."""
_LEAST = 1e-12
"""Of a squared length, so that features of zeros have no infinite direction."""


class ZeroShotClassifier(nn.Module):
    """An image tower, normalization of its features, and a linear layer without bias."""

    def __init__(self, tower: nn.Module, output: str, classes: ClassEmbeddings) -> None:
        super().__init__()
        self.tower = tower
        self.output = output
        self.head = nn.Linear(classes.width, len(classes.names), bias=False)
        directions = nn.functional.normalize(torch.from_numpy(classes.embeddings).double(), dim=1)
        with torch.no_grad():
            self.head.weight.copy_(classes.logit_scale * directions)

    def forward(self, input: Tensor) -> Tensor:
        """Returns logits [n, classes] for images float32 [n, channels, h, w]."""
        features = named_tensors(self.tower(input))[self.output]
        squares = (features * features).sum(dim=1, keepdim=True)
        logits: Tensor = self.head(features * torch.rsqrt(squares + _LEAST))
        return logits


def zero_shot_classifier(tower: nn.Module, given: Any, classes: ClassEmbeddings, name: str) -> nn.Module:
    """Returns the classifier that an image tower and embeddings of classes make.

    Args:
        tower: In eval mode, float32 [n, channels, h, w] to features [n, width], alone or as "image_embeds" among others.
        given: What it returned for one image.
        classes: Embeddings of the classes.
        name: Of the tower, for errors.

    Raises:
        UsageError: it gives no features, or of another width than the embeddings.
    """
    tensors = named_tensors(given)
    output = _OF_CLIP if _OF_CLIP in tensors else next(iter(tensors))
    features = tensors[output]
    shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in tensors.items())
    if (len(tensors) > 1 and output != _OF_CLIP) or features.ndim != 2 or features.shape[0] != 1:
        raise UsageError(
            f"class embeddings need a model that returns features [1, width] for one image, and {name} returns {shapes}",
            "give the image tower with its projection, or a module that returns its features alone",
        )
    if features.shape[1] != classes.width:
        raise UsageError(
            f"{name} returns features of width {features.shape[1]}, and the class embeddings have width {classes.width}",
            "give embeddings of the text tower that belongs to it; of a model of timm whose head is the projection, "
            f"num_classes = {classes.width}",
        )
    return ZeroShotClassifier(tower, output, classes).eval().requires_grad_(False)
