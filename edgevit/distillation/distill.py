"""Distillation: train a student to give its teacher's answers.

The loss is that of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. Teacher
and student see the same distorted view of each image, which is what makes a long training pay: Beyer et al.,
"Knowledge distillation: A good teacher is patient and consistent", CVPR 2022.
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

from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

Normalization: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation per channel, of pixels in 0..1."""

Augment: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""Pixels float32 [b, c, h, w] in 0..1 and the source of chance, to distorted pixels of the same kind."""

OnStep: TypeAlias = Callable[[int, int], None]
"""Called after each step with the steps done and the steps in all."""

_WEIGHT_DECAY = 0.05  # AdamW for vision transformers: Touvron et al., DeiT, 2021, table 9
_GRADIENT_NORM = 1.0  # longest gradient taken as it is; longer ones are cut to this length
_WARMUP_SHARE = 0.1  # of all steps, in which the learning rate rises linearly; then a cosine to zero


@dataclass(frozen=True)
class DistillSettings:
    """How to distill. The defaults touch up a student that is already trained; from scratch takes far more.

    Attributes:
        epochs: times each image is seen, >= 1.
        learning_rate: the highest of the schedule, > 0.
        temperature: T > 0, softens both models' answers; higher shows more of what the teacher knows of wrong
            classes.
        hard_label_weight: share 0..1 of the cross entropy with the labels in the loss; the rest is the soft
            loss.
        batch_size: most images in one step, >= 1.
        seed: of order, distortion and dropout, >= 0.

    Raises:
        UsageError: a value is out of its range.
    """

    epochs: int = 1
    learning_rate: float = 3e-5
    temperature: float = 4.0
    hard_label_weight: float = 0.0
    batch_size: int = 64
    seed: int = 0

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


def random_affine(
    pixels: Tensor,
    generator: torch.Generator,
    *,
    max_degrees: float = 12.0,
    max_shift: float = 0.1,
    max_zoom: float = 0.1,
) -> Tensor:
    """Turn, shift and zoom each image by its own random amount; what comes in from outside is black.

    Args:
        pixels: float32 [b, c, h, w], in 0..1.
        generator: the only source of chance.
        max_degrees: rotations are uniform in +- this many degrees.
        max_shift: shifts along each axis are uniform in +- this share of the image's side.
        max_zoom: the side is scaled by a factor uniform in 1 +- this.

    Returns:
        float32 [b, c, h, w], in 0..1; the input is not changed.
    """
    turn, right, down, zoom = torch.rand(4, pixels.shape[0], generator=generator).to(pixels).mul(2).sub(1)
    angle, scale = torch.deg2rad(turn * max_degrees), 1 / (1 + zoom * max_zoom)
    # grid_sample's axes run from -1 to 1: the whole side is 2, and one pixel differs where h != w.
    aspect = pixels.shape[2] / pixels.shape[3]
    rows = [
        torch.stack([scale * angle.cos(), -scale * angle.sin() * aspect, right * (2 * max_shift)], dim=1),
        torch.stack([scale * angle.sin() / aspect, scale * angle.cos(), down * (2 * max_shift)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def soft_label_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 x KL(teacher || student) of the answers softened by T, mean over images.

    The factor keeps the gradient's size about the same for every temperature (Hinton et al. 2015,
    section 2).

    Args:
        student_logits: float32 [b, classes].
        teacher_logits: float32 [b, classes].
        temperature: T > 0.

    Returns:
        float32 scalar >= 0, in nats; 0 where both give the same answers.
    """
    divergence = F.kl_div(
        F.log_softmax(student_logits / temperature, dim=1),
        F.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


def normalize(pixels: Tensor, normalization: Normalization) -> Tensor:
    """Pixels float32 [b, c, h, w] in 0..1, less the mean and over the standard deviation of their channel."""
    mean, std = (torch.tensor(values).to(pixels).view(1, -1, 1, 1) for values in normalization)
    return (pixels - mean) / std


def train(
    model: nn.Module,
    images: npt.NDArray[np.uint8] | Tensor,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
    *,
    settings: DistillSettings,
    augment: Augment | None = random_affine,
    on_progress: OnStep | None = None,
) -> nn.Module:
    """Train a copy of a model with AdamW, warm-up and cosine decay; the same result for the same seed.

    Args:
        model: trained as a copy, on the device where it is; not changed.
        images: uint8 [n, h, w, c]; turned into floats one batch at a time, so that memory stays bounded.
        loss: gives the scalar to minimise from the copy, pixels float32 [b, c, h, w] in 0..1 and the images'
            indices int64 [b].
        settings: epochs, learning rate, batch size and seed are used; what concerns teachers is the loss's
            business.
        augment: distorts each batch; None to train on the images as they are.
        on_progress: told after each step.

    Returns:
        The trained copy, in evaluation mode. The caller's random state is as before.

    Raises:
        UsageError: no images, nothing to train, or the loss stopped being a number.
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
            batch = pixels[chosen].to(device).permute(0, 3, 1, 2).float().div(255)
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
    student: nn.Module,
    teacher: nn.Module,
    images: npt.NDArray[np.uint8] | Tensor,
    labels: npt.NDArray[np.int64] | Tensor | None,
    *,
    student_normalization: Normalization,
    teacher_normalization: Normalization,
    settings: DistillSettings,
    teacher_size: tuple[int, int] | None = None,
    augment: Augment | None = random_affine,
    on_progress: OnStep | None = None,
) -> nn.Module:
    """Train a copy of the student to give the teacher's answers on these images.

    The loss is (1 - w) T^2 KL(teacher || student) + w CE(student, labels), with w = `hard_label_weight`.

    Args:
        student: takes float32 [b, c, h, w], gives logits [b, classes]; not changed.
        teacher: the same classes in the same order; used in evaluation mode as a copy, not changed.
        images: uint8 [n, h, w, c] at the student's input size.
        labels: int64 [n], 0 .. classes - 1, or None: none are needed where `hard_label_weight` is 0.
        student_normalization: mean and standard deviation per channel that the student was trained with.
        teacher_normalization: the same for the teacher.
        settings: how long, how fast, how soft.
        teacher_size: height and width in pixels that the teacher takes, reached by bilinear interpolation;
            None where it takes the images as they are.
        augment: distorts each batch before both models see it; None for no distortion. One that mixes images
            (mixup) goes with `hard_label_weight` 0 only, since labels are not mixed along.
        on_progress: told the steps done and in all, after each step.

    Returns:
        A new trained module in evaluation mode, the same one for the same seed, threads and machine.

    Raises:
        UsageError: no images, images that are not uint8 [n, h, w, c], models of different classes, labels
            missing, of another number than the images or outside the classes, or a loss that stopped being a
            number.
    """
    pixels = _as_image_tensor(images)
    guide = copy.deepcopy(teacher).eval().requires_grad_(False)

    def teach(views: Tensor) -> Tensor:
        if teacher_size is not None and tuple(views.shape[2:]) != teacher_size:
            views = F.interpolate(views, size=teacher_size, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = guide(normalize(views, teacher_normalization))
        return logits

    classes = _common_classes(student, teach, pixels, student_normalization)
    targets = _checked_labels(labels, len(pixels), classes, settings)
    share = settings.hard_label_weight

    def loss(model: nn.Module, views: Tensor, chosen: Tensor) -> Tensor:
        logits: Tensor = model(normalize(views, student_normalization))
        value = logits.new_zeros(())
        if share < 1:
            with torch.no_grad():
                answers = teach(views)
            value = value + (1 - share) * soft_label_loss(logits, answers, settings.temperature)
        if targets is not None and share > 0:
            value = value + share * F.cross_entropy(logits, targets[chosen].to(logits.device))
        return value

    return train(student, pixels, loss, settings=settings, augment=augment, on_progress=on_progress)


def _as_image_tensor(images: npt.NDArray[np.uint8] | Tensor) -> Tensor:
    """The images as a uint8 tensor [n, h, w, c] without a copy, or a UsageError."""
    tensor = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    if tensor.dtype != torch.uint8 or tensor.ndim != 4:
        raise UsageError(
            f"training images are {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}",
            hint="give uint8 [n, height, width, channels], values 0..255, not normalised",
        )
    if len(tensor) == 0:
        raise UsageError("no images to train on", hint="give at least one; a few hundred are a useful minimum")
    return tensor


def _common_classes(
    student: nn.Module,
    teach: Callable[[Tensor], Tensor],
    pixels: Tensor,
    student_normalization: Normalization,
) -> int:
    """How many classes both models answer with, found by showing each the first image."""
    view = pixels[:1].to(next(student.parameters()).device).permute(0, 3, 1, 2).float().div(255)
    with torch.no_grad():
        mine = copy.deepcopy(student).eval()(normalize(view, student_normalization)).shape
        theirs = teach(view).shape
    if mine != theirs:
        raise UsageError(
            f"the student answers with shape {list(mine)} and the teacher with {list(theirs)} for one image",
            hint="choose a teacher of the same classes in the same order",
        )
    return int(mine[1])


def _checked_labels(
    labels: npt.NDArray[np.int64] | Tensor | None, count: int, classes: int, settings: DistillSettings
) -> Tensor | None:
    """The labels as int64 [count], each in 0 .. classes - 1; None where none are given nor needed."""
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
            f"labels run from {low} to {high} but the models know the classes 0..{classes - 1}",
            hint="number the labels in the models' class order, starting at 0",
        )
    return targets
