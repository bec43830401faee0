"""Gradients of the difference between a student and its teacher."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor, nn

from edgevit.distillation.augment import mix, random_crops
from edgevit.distillation.finetune_job import FinetuneJob
from edgevit.distillation.losses import feature_loss, soft_label_loss
from edgevit.distillation.views import MOST_AT_ONCE, as_taken, normalize, read_pixels
from edgevit.model.program.trainable import Trainable


class Gradients:
    """Gradients of the difference between student and teacher on random views of the training images.

    A batch is computed in parts, each by one thread, and their gradients are added in one order, so that the result does
    not depend on the number of threads. PyTorch's own threads, which share out a single operation, wait for each other.
    """

    def __init__(
        self,
        teacher: Trainable,
        student: Trainable,
        trained: list[nn.Parameter],
        job: FinetuneJob,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._teacher, self._student, self._trained = teacher, student, trained
        self._settings, self._images, self._pool = job.settings, job.images, pool
        on_processor = job.settings.device == "cpu"
        self._part_size = part_size(job.settings.batch_size) if on_processor else job.settings.batch_size
        self._for_teacher, self._for_student = job.images.preprocessing, job.kept_for_student.preprocessing
        self._ready: tuple[int, list[Tensor]] = (-1, [])
        """Number of a step, and its views."""

    def __call__(self, step: int) -> float:
        """Sets the gradients of the parameters for a step; returns the loss."""
        number, views = self._ready
        parts = self._pool.map(self._of_part, views if number == step else self._views(step))
        self._ready = step + 1, self._views(step + 1)  # made while the threads compute
        losses, gradients = zip(*parts, strict=True)
        for parameter, *found in zip(self._trained, *gradients, strict=True):
            parameter.grad = torch.stack(found).mean(dim=0)
        return float(torch.stack(losses).mean())

    def _views(self, step: int) -> list[Tensor]:
        """Random views of the batch of a step, in parts; the same ones whenever it is made."""
        torch.manual_seed(_seed_of(self._settings.seed, step))
        first = step * self._settings.batch_size
        places = [self._place(first + number) for number in range(self._settings.batch_size)]
        size = self._part_size
        return [self._part(places[start : start + size]) for start in range(0, len(places), size)]

    def _place(self, number: int) -> int:
        """Which image the view with this number is of: all come once before any comes again."""
        count = len(self._images)
        return int(_order(count, _seed_of(self._settings.seed, number // count))[number % count])

    def _part(self, places: list[int]) -> Tensor:
        views = random_crops(read_pixels(self._images, places).to(self._settings.device))
        return mix(views, torch.rand(len(views))) if torch.rand(()) < self._settings.mixed_share else views

    def _of_part(self, views: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        with torch.no_grad():
            expected = self._teacher(normalize(views, self._for_teacher))
        found = self._student(as_taken(views, self._for_student))
        loss = soft_label_loss(found.logits, expected.logits, 1.0)
        loss = loss + self._settings.feature_weight * feature_loss(found.features, expected.features)
        gradients = torch.autograd.grad(loss, self._trained, allow_unused=True, materialize_grads=True)
        return loss.detach(), gradients


@lru_cache(maxsize=2)
def _order(count: int, seed: int) -> tuple[int, ...]:
    """Places 0 .. count - 1 in a random order."""
    return tuple(torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist())


def _seed_of(seed: int, number: int) -> int:
    """A seed for each number, different for different seeds."""
    return seed * 1_000_003 + number


def part_size(batch_size: int) -> int:
    """Returns how many images of a batch are computed at once: the largest divisor that is at most 16."""
    return max(size for size in range(1, MOST_AT_ONCE + 1) if batch_size % size == 0)
