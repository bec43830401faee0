"""Gradients of a student that learns from a teacher, from labels or from both, on streamed views."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.distillation.augment import to_float
from edgevit.distillation.distillation_token import train_both_heads
from edgevit.distillation.features import Features
from edgevit.distillation.losses import DEFAULT_TEMPERATURE, distillation_loss, label_loss
from edgevit.distillation.parameters import to_train_mode
from edgevit.distillation.processes import Group
from edgevit.distillation.student import Student
from edgevit.distillation.teacher import Teacher
from edgevit.distillation.train_data import TrainingData, Views, seed_of
from edgevit.distillation.views import as_taken
from edgevit.errors import UsageError
from edgevit.model.program.outputs import unwrapped
from edgevit.spec.spec import DistillSpec


class StudentGradients:
    """Sets the gradients of a student for one step after the other."""

    def __init__(
        self,
        student: Student,
        teacher: Teacher | None,
        data: TrainingData,
        settings: DistillSpec,
        seed: int,
        group: Group,
    ) -> None:
        """Begins nothing yet.

        Args:
            student: On the device of the group.
            teacher: None to learn from labels alone.
            data: Which views each step has.
            settings: Loss, precision and what is mixed.
            seed: Of dropout and of what is mixed.
            group: The processes that train together.
        """
        self._student, self._contract, self._teacher = student.module, student.preprocessing, teacher
        self._data, self._settings, self._seed, self._group = data, settings, seed, group
        train_both_heads(unwrapped(student.original))
        self._wrapped = group.wrap(student.module)
        compares = teacher is not None and settings.feature_weight > 0
        self._features = (Features(student.original), Features(teacher.module)) if teacher and compares else None
        mixes = settings.augmentation.mixup > 0 or settings.augmentation.cutmix > 0
        self._classes = student.classes
        self._mix = _Mixer(settings, student.classes) if mixes else None
        self._precision = find_precision(settings.precision, group.kind)
        self.scaler = torch.amp.GradScaler(group.kind, enabled=self._precision is torch.float16)
        """Of gradients that float16 would round to 0."""
        self._stream: Generator[Views, None, None] = data.views_from(0)
        self._next = -1
        """Step of the views that the stream has next."""

    def __call__(self, step: int) -> float:
        """Sets the gradients for a step; returns the loss, the mean of all processes."""
        views = self._views_of(step)
        torch.manual_seed(seed_of(self._seed, step, self._group.rank))  # dropout as in a training that was not stopped
        np.random.seed(seed_of(self._seed, step))
        to_train_mode(self._student)
        self._student.zero_grad()
        # processes have parts of a batch that differ by an image: each counts by its share, and gradients are averaged
        share = len(views.places) * self._group.size / self._data.batches.images_of(step)
        loss = self._loss(step, views) * share
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return self._group.mean(loss.detach())

    def close(self) -> None:
        """Ends the processes that decode images."""
        self._stream.close()
        self._next = -1

    def _views_of(self, step: int) -> Views:
        if step != self._next:
            self._stream.close()
            self._stream = self._data.views_from(step)
        self._next = step + 1
        return next(self._stream)

    def _loss(self, step: int, views: Views) -> Tensor:
        device = self._group.device
        pixels = to_float(views.pixels.to(device))
        labels = None if self._data.labels is None else self._data.labels[views.places].to(device)
        if self._mix is not None:
            pixels, labels = self._mix(pixels, labels)
        elif labels is not None and self._settings.label_smoothing:
            labels = _smoothed(labels, self._classes, self._settings.label_smoothing)
        with self._autocast():
            found = self._wrapped(as_taken(pixels, self._contract))
        logits = tuple(each.float() for each in found) if isinstance(found, tuple) else found.float()
        if self._teacher is None:
            assert labels is not None
            return label_loss(logits, labels)
        epoch = step // self._data.batches.steps_per_epoch
        expected = self._teacher.expected(epoch, views.places, pixels)
        kind, weight = self._settings.loss, self._settings.label_weight
        temperature = self._settings.temperature or DEFAULT_TEMPERATURE[kind]
        loss = distillation_loss(kind, logits, expected, labels, temperature, 1 - weight)
        if self._features:
            mine, theirs = self._features
            loss = loss + self._settings.feature_weight * mine.error(theirs)
        return loss

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._group.kind, self._precision)


def find_precision(asked: str, device: str) -> torch.dtype:
    """Returns the type that the forward pass computes in, see ``precision`` of :class:`edgevit.spec.spec.DistillSpec`.

    Args:
        asked: As in the spec.
        device: Kind of it: "cpu", "cuda" or "mps".

    Raises:
        UsageError: a processor is to compute in float16, for which it has no scaled gradients.
    """
    if asked == "auto":
        if device != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if asked == "float16" and device != "cuda":
        raise UsageError(
            f"distill.precision = float16 is for a CUDA GPU, and training runs on {device}",
            "give float32, or bfloat16, or leave it out",
        )
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[asked]


def _smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Probabilities float32 [b, classes] of labels int64 [b]."""
    return F.one_hot(labels, classes).float() * (1 - smoothing) + smoothing / classes


class _Mixer:
    """timm's Mixup and CutMix, also for an odd number of images, the last of which is then left as it is, and without labels."""

    def __init__(self, settings: DistillSpec, classes: int) -> None:
        from timm.data import Mixup  # type: ignore[attr-defined]

        given = settings.augmentation
        self._mix = Mixup(given.mixup, given.cutmix, label_smoothing=settings.label_smoothing, num_classes=classes)
        self._classes, self._smoothing = classes, settings.label_smoothing

    def __call__(self, pixels: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        even = len(pixels) - len(pixels) % 2
        of_class = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device) if labels is None else labels
        mixed, targets = self._mix(pixels[:even].clone(), of_class[:even])
        rest = _smoothed(of_class[even:], self._classes, self._smoothing)
        return torch.cat([mixed, pixels[even:]]), None if labels is None else torch.cat([targets, rest])
