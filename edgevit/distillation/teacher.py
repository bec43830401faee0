"""A teacher as training asks it: with the views that the student sees, in its own size and normalization."""

from __future__ import annotations

import torch
from torch import Tensor

from edgevit.distillation.views import as_taken
from edgevit.model.load import Model


class Teacher:
    """A model whose predictions are learned."""

    def __init__(self, model: Model, device: str) -> None:
        self.name, self.preprocessing = model.name, model.preprocessing
        self.module = model.module.eval().requires_grad_(False).to(device)

    def __call__(self, views: Tensor) -> Tensor:
        """Returns the logits of views, float32 [b, classes].

        Args:
            views: float32 [b, c, h, w]: pixels in 0..1, or arrays as they are.
        """
        with torch.no_grad():
            logits: Tensor = self.module(as_taken(views, self.preprocessing))
        return logits.float()
