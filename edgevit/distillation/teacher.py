"""A teacher as training asks it: with the views that the student sees, in its own size and normalization."""

from __future__ import annotations

import torch
from torch import Tensor

from edgevit.distillation.teacher_cache import TeacherCache
from edgevit.distillation.views import as_taken
from edgevit.model.load import Model


class Teacher:
    """A model whose predictions are learned."""

    def __init__(self, model: Model, device: str, cache: TeacherCache | None = None) -> None:
        """Takes a model as teacher; it stays as it is.

        Args:
            model: With the classes of the student.
            device: Of torch, to which it is moved.
            cache: Keeps what it says; None to ask it each time.
        """
        self.name, self.preprocessing, self._cache = model.name, model.preprocessing, cache
        self.module = model.module.eval().requires_grad_(False).to(device)

    def __call__(self, views: Tensor) -> Tensor:
        """Returns the logits of views, float32 [b, classes].

        Args:
            views: float32 [b, c, h, w]: pixels in 0..1, or arrays as they are.
        """
        with torch.no_grad():
            logits: Tensor = self.module(as_taken(views, self.preprocessing))
        return logits.float()

    def expected(self, epoch: int, places: Tensor, views: Tensor) -> Tensor:
        """Returns what the student is to say to views of a step: logits, or from a cache logarithms of probabilities.

        Args:
            epoch: Of the step.
            places: int64 [b], which images these are views of.
            views: float32 [b, c, h, w], see :meth:`__call__`.

        Returns:
            float32 [b, classes].
        """
        if self._cache is None:
            return self(views)
        return self._cache.predictions(epoch, places.numpy(), lambda: self(views)).to(views.device)
