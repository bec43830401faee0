"""Knowledge distillation: trains a student to match its teacher's predictions.

The loss is that of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. Teacher and student
see the same augmented view of each image, without which long training does not help: Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", CVPR 2022.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.distillation.augment import random_affine, to_float
from edgevit.distillation.losses import soft_label_loss
from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

Normalization: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation per channel, for pixels in 0..1."""

Augment: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""Augmentation: pixels float32 [b, c, h, w] in 0..1 and a random generator, to pixels of the same shape and range."""

OnStep: TypeAlias = Callable[[int, int], None]
"""Progress callback: steps done, and in all."""

_WEIGHT_DECAY = 0.05  # AdamW for vision transformers: Touvron et al., DeiT, 2021, table 9
_GRADIENT_NORM = 1.0  # gradients of a larger norm are clipped to it
_WARMUP_SHARE = 0.1  # of all steps, in which the learning rate rises linearly; then a cosine to zero


@dataclass(frozen=True)
class DistillSettings:
    """Hyperparameters. The defaults fine-tune a student that is already trained; from scratch takes many more epochs.

    Raises:
        UsageError: a value is out of its range.
    """

    epochs: int = 1
    """Passes over the images, ≥ 1."""
    learning_rate: float = 3e-5
    """Maximum of the schedule, > 0."""
    temperature: float = 4.0
    """T > 0, softens both models' predictions; a higher one gives more weight to the wrong classes."""
    hard_label_weight: float = 0.0
    """Share 0..1 of the cross entropy with the labels in the loss; the rest is the soft-label loss."""
    batch_size: int = 64
    """Most images in one step, ≥ 1."""
    seed: int = 0
    """Of order, augmentation and dropout, ≥ 0."""

    def __post_init__(self) -> None:
        for name, value, holds, expected in (
            ("epochs", self.epochs, self.epochs >= 1, "at least 1"),
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "greater than 0"),
            ("temperature", self.temperature, 0 < self.temperature < math.inf, "greater than 0"),
            ("hard_label_weight", self.hard_label_weight, 0 <= self.hard_label_weight <= 1, "from 0 to 1"),
            ("batch_size", self.batch_size, self.batch_size >= 1, "at least 1"),
            ("seed", self.seed, self.seed >= 0, "at least 0"),
        ):
            if not holds:
                raise UsageError(f"distill: {name} = {value}", hint=f"{name} must be {expected}")


@dataclass(frozen=True)
class Student:
    """A model to train."""

    module: nn.Module
    """float32 [b, c, h, w] to logits float32 [b, classes]; a copy is trained."""
    normalization: Normalization
    """That the model was trained with."""


@dataclass(frozen=True)
class Teacher:
    """A model to learn from."""

    module: nn.Module
    """float32 [b, c, h, w] to logits float32 [b, classes], the student's classes in the same order."""
    normalization: Normalization
    """That the model was trained with."""
    input_size: tuple[int, int] | None = None
    """Height and width in pixels that it takes, reached by bilinear interpolation; None for the student's."""


@dataclass(frozen=True)
class TrainingImages:
    """Images, with labels where there are any."""

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | Tensor
    """[n, h, w, c] at the student's input size: uint8, or float32 of arrays that are taken as they are."""
    labels: npt.NDArray[np.int64] | Tensor | None = None
    """int64 [n], 0 .. classes - 1; None only where ``hard_label_weight`` is 0."""


def normalize(pixels: Tensor, normalization: Normalization) -> Tensor:
    """Returns pixels float32 [b, c, h, w] in 0..1 minus the mean and divided by the standard deviation per channel."""
    mean, std = (torch.tensor(values).to(pixels).view(1, -1, 1, 1) for values in normalization)
    return (pixels - mean) / std


def train(
    model: nn.Module,
    images: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | Tensor,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
    *,
    settings: DistillSettings,
    augment: Augment | None = random_affine,
    on_progress: OnStep | None = None,
) -> nn.Module:
    """Trains a copy of a model with AdamW, warm-up and cosine decay; the same result for the same seed.

    Args:
        model: Copied, and trained on the device where it is.
        images: uint8 or float32 [n, h, w, c]; converted to float one batch at a time, so that memory stays bounded.
        loss: Returns the scalar to minimize from the copy, pixels float32 [b, c, h, w] in 0..1 and the images' indices
            int64 [b].
        settings: Epochs, learning rate, batch size and seed are used here, the others in the loss alone.
        augment: Augmentation of each batch, or None.
        on_progress: Progress callback, called after each step.

    Returns:
        The trained copy, in eval mode. The caller's random state is as before.

    Raises:
        UsageError: no images, no trainable parameter, or a loss that is NaN or infinite.
    """
    ensure_torchvision_schemas()
    from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]
    from timm.scheduler import CosineLRScheduler  # type: ignore[attr-defined]

    pixels = _as_image_tensor(images)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError("the model to train has no trainable parameter", hint="call requires_grad_(True) on it first")
    trained = copy.deepcopy(model).train()
    device = next(trained.parameters()).device
    optimizer = create_optimizer_v2(trained, opt="adamw", lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY)
    batches = math.ceil(len(pixels) / settings.batch_size)
    total = batches * settings.epochs
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=total,
        warmup_t=round(total * _WARMUP_SHARE),
        warmup_prefix=False,
        t_in_epochs=False,
    )
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        for step in range(total):
            if step % batches == 0:
                order = torch.randperm(len(pixels), generator=generator).tensor_split(batches)
            chosen = order[step % batches]
            batch = to_float(pixels[chosen].to(device).permute(0, 3, 1, 2))
            schedule.step_update(step)
            value = loss(trained, augment(batch, generator) if augment else batch, chosen)
            if not torch.isfinite(value):
                raise UsageError(
                    f"training stopped at step {step + 1} of {total}: the loss is {value.item()}",
                    hint=f"try a learning_rate below {settings.learning_rate:g}",
                )
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained.parameters(), _GRADIENT_NORM)
            optimizer.step()
            if on_progress:
                on_progress(step + 1, total)
    return trained.eval()


def distill(
    student: Student,
    teacher: Teacher,
    images: TrainingImages,
    *,
    settings: DistillSettings,
    augment: Augment | None = random_affine,
    on_progress: OnStep | None = None,
) -> nn.Module:
    """Trains a copy of the student to match the teacher's predictions on these images.

    The loss is (1 - w) T² KL(teacher || student) + w CE(student, labels), with w = ``hard_label_weight``.

    Args:
        student: Its module stays as it is.
        teacher: A copy is used, in eval mode.
        images: With labels unless ``hard_label_weight`` is 0.
        settings: Hyperparameters.
        augment: Augmentation of each batch before both models see it, or None. One that mixes images (mixup) needs
            ``hard_label_weight`` 0, since labels are not mixed.
        on_progress: Progress callback, called after each step.

    Returns:
        A new trained module in eval mode, the same for the same seed, number of threads and machine.

    Raises:
        UsageError: no images, images that are not uint8 or float32 [n, h, w, c], models of different classes, labels missing, of
            another number than the images or outside the classes, or a loss that is NaN or infinite.
    """
    pixels = _as_image_tensor(images.pixels)
    frozen = copy.deepcopy(teacher.module).eval().requires_grad_(False)

    def teach(views: Tensor) -> Tensor:
        size = teacher.input_size
        if size is not None and tuple(views.shape[2:]) != size:
            views = F.interpolate(views, size=size, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = frozen(normalize(views, teacher.normalization))
        return logits

    classes = _common_classes(student, teach, pixels)
    targets = _checked_labels(images.labels, len(pixels), classes, settings)
    share = settings.hard_label_weight

    def loss(model: nn.Module, views: Tensor, chosen: Tensor) -> Tensor:
        logits: Tensor = model(normalize(views, student.normalization))
        value = logits.new_zeros(())
        if share < 1:
            with torch.no_grad():
                answers = teach(views)
            value = value + (1 - share) * soft_label_loss(logits, answers, settings.temperature)
        if targets is not None and share > 0:
            value = value + share * F.cross_entropy(logits, targets[chosen].to(logits.device))
        return value

    return train(student.module, pixels, loss, settings=settings, augment=augment, on_progress=on_progress)


def _as_image_tensor(images: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | Tensor) -> Tensor:
    """Returns the images as a tensor uint8 or float32 [n, h, w, c], without a copy where possible; refuses others."""
    tensor = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    if tensor.dtype not in (torch.uint8, torch.float32) or tensor.ndim != 4:
        raise UsageError(
            f"training images are {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}",
            hint="give uint8 [n, height, width, channels], values 0..255, not normalised; or float32 of arrays",
        )
    if len(tensor) == 0:
        raise UsageError("no images to train on", hint="give at least one; a few hundred are a useful minimum")
    return tensor


def _common_classes(student: Student, teach: Callable[[Tensor], Tensor], pixels: Tensor) -> int:
    """Number of classes of both models, found by running each on the first image."""
    view = to_float(pixels[:1].to(next(student.module.parameters()).device).permute(0, 3, 1, 2))
    with torch.no_grad():
        mine = copy.deepcopy(student.module).eval()(normalize(view, student.normalization)).shape
        theirs = teach(view).shape
    if mine != theirs:
        raise UsageError(
            f"the student returns shape {list(mine)} and the teacher {list(theirs)} for one image",
            hint="choose a teacher of the same classes in the same order",
        )
    return int(mine[1])


def _checked_labels(
    labels: npt.NDArray[np.int64] | Tensor | None, count: int, classes: int, settings: DistillSettings
) -> Tensor | None:
    """Returns the labels as int64 [count], each in 0 .. classes - 1; None if there are none and none are needed."""
    if labels is None:
        if settings.hard_label_weight > 0:
            raise UsageError(
                f"hard_label_weight is {settings.hard_label_weight:g} but there are no labels",
                hint="give labels, or set hard_label_weight to 0 to learn from the teacher alone",
            )
        return None
    targets = torch.as_tensor(labels).long()
    if tuple(targets.shape) != (count,):
        raise UsageError(f"{count} images but labels of shape {list(targets.shape)}", hint="give one label per image")
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise UsageError(
            f"labels run from {low} to {high} but the models have the classes 0..{classes - 1}",
            hint="number the labels in the models' class order, starting at 0",
        )
    return targets
