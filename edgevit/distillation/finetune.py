"""Label-free fine-tuning: trains a compressed model to answer like the dense float one that it was made from.

Self-distillation on a few unlabelled images: KL divergence of the predictions (Hinton et al. 2015, at temperature 1) and
squared error of the features that the last layer reads (Romero et al., "FitNets", 2015), both on the same augmented
views (Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022). The step that answers
most like the teacher on images kept apart is taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from edgevit.data.prepared import PreparedImages
from edgevit.distillation.augment import mix, random_crops
from edgevit.distillation.distill import normalize, soft_label_loss
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.program.capture import load_program
from edgevit.model.program.trainable import Outputs, Trainable
from edgevit.results.finetune import FinetunePoint
from edgevit.run.child_process import report_progress

Parameters = Literal["small", "all"]
"""All that are trained: norms, biases, class token and position table alone, or every weight."""

_WEIGHT_DECAY = 0.01
_WARMUP_SHARE = 0.05
_GRADIENT_NORM = 1.0
_LOOKS = 10
"""At the images kept apart, after equal numbers of steps."""
_MOST_AT_ONCE = 16
"""Images: so many share the cost of the calls, and still fit the caches."""
_TIMED_STEPS = 3
"""After which it is known how long all of them take; the first is slower."""


@dataclass(frozen=True)
class FinetuneSettings:
    """How a model is tuned."""

    parameters: Parameters
    images_seen: int
    """Views of images in all steps together."""
    learning_rate: float
    """Largest of the schedule."""
    batch_size: int
    """Views in each step; the programs were captured for :func:`part_size` of it."""
    feature_weight: float
    """Of the squared error of the features in the loss."""
    mixed_share: float
    """Of the batches, 0..1, whose images are mixed."""
    patience: int
    """Looks at the images kept apart without a smaller divergence, after which tuning stops."""
    max_seconds: float
    """Steps become fewer where all of them would take longer."""
    threads: int
    seed: int


@dataclass(frozen=True)
class FinetuneJob:
    """A model to tune, and its teacher, each captured for parts of a batch."""

    student: Path
    teacher: Path
    images: PreparedImages
    """To train on, resized and cropped as the teacher takes them."""
    kept: PreparedImages
    """Kept apart, as the teacher takes them."""
    kept_for_student: PreparedImages
    """The same, as the student takes them."""
    settings: FinetuneSettings
    weights: Path
    """Where to write the parameters that were trained, as safetensors."""


@dataclass(frozen=True)
class Finetuned:
    """What tuning found; the weights are those of the step that answers most like the teacher."""

    weights: Path
    images_seen: int
    """At that step."""
    seconds: float
    before: tuple[float, ...]
    """KL(teacher || untuned student) of each image kept apart, in nats."""
    after: tuple[float, ...]
    curve: tuple[FinetunePoint, ...]
    note: str = ""
    """Why it ended before all steps."""


def finetune(job: FinetuneJob) -> Finetuned:
    """Tunes a model; one seed gives equal weights on one machine, whatever the number of threads, unless time runs out.

    Raises:
        UsageError: it has no parameter to train.
        CandidateFailed: its loss is not finite at once.
    """
    torch.manual_seed(job.settings.seed)
    with ThreadPoolExecutor(job.settings.threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        return _finetune(job, pool)


def _finetune(job: FinetuneJob, pool: ThreadPoolExecutor) -> Finetuned:
    settings, begun = job.settings, time.monotonic()
    teacher, student = Trainable(load_program(job.teacher)), Trainable(load_program(job.student))
    trained = _choose_parameters(student, settings.parameters)
    judge = _Judge(teacher, student, job, pool)
    before = judge.divergences()
    best = _Best(trained, float(before.mean()), before)
    curve = [FinetunePoint(0, best.divergence)]
    note, looks_in_vain = "", 0
    gradients = _Gradients(teacher, student, list(trained.values()), job, pool)
    for step in _steps(gradients, list(trained.values()), settings):
        if step.failed:
            note = step.failed
            break
        if not step.look:
            continue
        found, seen = judge.divergences(), step.done * settings.batch_size
        if not np.isfinite(found).all():
            note = f"the predictions were no longer finite after {seen} views"
            break
        curve.append(FinetunePoint(seen, float(found.mean())))
        looks_in_vain = 0 if best.update(trained, found, seen) else looks_in_vain + 1
        if looks_in_vain >= settings.patience:
            note = "the divergence no longer fell"
            break
    save_file(best.weights, job.weights)
    return Finetuned(
        weights=job.weights,
        images_seen=best.images_seen,
        seconds=time.monotonic() - begun,
        before=tuple(before.tolist()),
        after=tuple(best.divergences.tolist()),
        curve=tuple(curve),
        note=note,
    )


def _choose_parameters(student: Trainable, which: Parameters) -> dict[str, nn.Parameter]:
    trained = {name: value for name, value in student.parameters.items() if which == "all" or is_small(value)}
    if not trained:
        raise UsageError("the model has no parameter to fine-tune", "give --finetune none")
    for value in trained.values():
        value.requires_grad_(True)
    return trained


def is_small(parameter: Tensor) -> bool:
    """Returns whether a parameter is no weight of a layer: a bias, a norm's gain, a token or a table of positions.

    Args:
        parameter: Of any shape: those have one dimension, or a first one of length 1 before two others.
    """
    return parameter.ndim <= 1 or (parameter.ndim >= 3 and parameter.shape[0] == 1)


class _Best:
    """The weights of the step that answers most like the teacher so far."""

    def __init__(self, trained: dict[str, nn.Parameter], divergence: float, divergences: np.ndarray) -> None:
        self.images_seen = 0
        self._take(trained, divergence, divergences)

    def _take(self, trained: dict[str, nn.Parameter], divergence: float, divergences: np.ndarray) -> None:
        self.divergence, self.divergences = divergence, divergences
        self.weights = {name: value.detach().clone().contiguous() for name, value in trained.items()}

    def update(self, trained: dict[str, nn.Parameter], divergences: np.ndarray, images_seen: int) -> bool:
        """Takes these weights if they are better; returns whether they are."""
        found = float(divergences.mean())
        if found >= self.divergence:
            return False
        self._take(trained, found, divergences)
        self.images_seen = images_seen
        return True


class _Judge:
    """Compares student and teacher on the images kept apart."""

    def __init__(self, teacher: Trainable, student: Trainable, job: FinetuneJob, pool: ThreadPoolExecutor) -> None:
        self._student, self._images, self._pool = student, job.kept_for_student, pool
        self._size = part_size(job.settings.batch_size)
        self._expected = self._log_probabilities(teacher, job.kept)

    def divergences(self) -> np.ndarray:
        """Returns KL(teacher || student) of each image in nats, float64 [n]."""
        found = self._log_probabilities(self._student, self._images)
        divergence = (self._expected.exp() * (self._expected - found)).sum(dim=1)
        return np.asarray(divergence.numpy())

    def _log_probabilities(self, model: Trainable, images: PreparedImages) -> Tensor:
        parts = self._pool.map(lambda batch: self._logits(model, torch.from_numpy(batch)), images.batches(self._size))
        return torch.cat(list(parts)).double().log_softmax(dim=1)

    def _logits(self, model: Trainable, batch: Tensor) -> Tensor:
        missing = self._size - len(batch)
        filled = torch.cat([batch, batch[:1].expand(missing, -1, -1, -1)]) if missing else batch
        with torch.no_grad():  # holds for the thread that enters it
            return model(filled).logits[: len(batch)]


class _Gradients:
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
        self._part_size = part_size(job.settings.batch_size)
        contract = job.images.preprocessing
        self._normalization = contract.mean, contract.std
        self._student_size = job.kept_for_student.preprocessing.input_size
        self._order: Iterator[int] = _forever(len(job.images))
        self._next = self._views()

    def __call__(self) -> float:
        """Sets the gradients of the parameters for the next batch; returns the loss."""
        parts = self._pool.map(self._of_part, self._next)
        self._next = self._views()  # made while the threads compute
        losses, gradients = zip(*parts, strict=True)
        for parameter, *found in zip(self._trained, *gradients, strict=True):
            parameter.grad = torch.stack(found).mean(dim=0)
        return float(torch.stack(losses).mean())

    def _views(self) -> list[Tensor]:
        """Random views of a batch, in parts."""
        return [self._part() for _ in range(self._settings.batch_size // self._part_size)]

    def _part(self) -> Tensor:
        chosen = [next(self._order) for _ in range(self._part_size)]
        views = random_crops(torch.from_numpy(self._images.read_pixels(chosen)).permute(0, 3, 1, 2))
        return mix(views, float(torch.rand(()))) if torch.rand(()) < self._settings.mixed_share else views

    def _of_part(self, views: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        with torch.no_grad():
            expected = self._teacher(normalize(views, self._normalization))
        found = self._student(normalize(self._as_student_takes(views), self._normalization))
        loss = soft_label_loss(found.logits, expected.logits, 1.0)
        loss = loss + self._settings.feature_weight * _feature_error(found, expected)
        gradients = torch.autograd.grad(loss, self._trained, allow_unused=True, materialize_grads=True)
        return loss.detach(), gradients

    def _as_student_takes(self, views: Tensor) -> Tensor:
        if tuple(views.shape[2:]) == self._student_size:
            return views
        return F.interpolate(views, self._student_size, mode="bicubic", antialias=True).clamp(0, 1)


def _feature_error(found: Outputs, expected: Outputs) -> Tensor:
    """Mean squared error of the features, of those that both models have in one shape."""
    pairs = [
        (mine, theirs)
        for mine, theirs in zip(found.features, expected.features, strict=False)
        if mine.shape == theirs.shape
    ]
    errors = [F.mse_loss(mine, theirs) for mine, theirs in pairs]
    return torch.stack(errors).sum() if errors else found.logits.new_zeros(())


def _forever(count: int) -> Iterator[int]:
    """Places 0 .. count - 1 in a new random order each time all of them have come."""
    while True:
        yield from torch.randperm(count).tolist()


@dataclass(frozen=True)
class _Step:
    """One step that was made, or that could not be."""

    done: int
    look: bool
    """Whether to look at the images kept apart."""
    failed: str = ""


def part_size(batch_size: int) -> int:
    """Returns how many images of a batch are computed at once: the largest divisor that is at most 16."""
    return max(size for size in range(1, _MOST_AT_ONCE + 1) if batch_size % size == 0)


def _steps(gradients: Callable[[], float], trained: list[nn.Parameter], settings: FinetuneSettings) -> Iterator[_Step]:
    """Makes the steps, fewer where time is short: AdamW, warm-up, cosine to zero."""
    weights = [value for value in trained if not is_small(value)]
    small = [value for value in trained if is_small(value)]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": small, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY)
    total, done, begun = math.ceil(settings.images_seen / settings.batch_size), 0, time.monotonic()
    while done < total:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(done / total)
        loss = gradients()
        if not math.isfinite(loss):
            if not done:
                raise CandidateFailed(f"fine-tuning stopped at its first step: the loss is {loss}")
            yield _Step(done, look=False, failed=f"the loss was {loss} at step {done + 1} of {total}")
            return
        nn.utils.clip_grad_norm_(trained, _GRADIENT_NORM)
        optimizer.step()
        done += 1
        if done == _TIMED_STEPS:
            affordable = int(settings.max_seconds / (time.monotonic() - begun) * done)
            total = max(done, min(total, affordable))
        report_progress(done, total)
        yield _Step(done, look=done % max(1, total // _LOOKS) == 0 or done == total)


def _schedule(progress: float) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero."""
    if progress < _WARMUP_SHARE:
        return progress / _WARMUP_SHARE if progress else _WARMUP_SHARE
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARMUP_SHARE) / (1 - _WARMUP_SHARE)))
