"""Label-free fine-tuning: trains a compressed model to answer like the dense float one that it was made from.

Self-distillation on a few unlabelled images: KL divergence of the predictions (Hinton et al. 2015, at temperature 1) and
squared error of the features that the last layer reads (Romero et al., "FitNets", 2015), both on the same augmented
views (Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022). The step that answers
most like the teacher on images kept apart is taken.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from edgevit.data.prepared import PreparedImages
from edgevit.distillation.augment import mix, random_crops
from edgevit.distillation.checkpoint import load_checkpoint, save_checkpoint
from edgevit.distillation.distill import normalize, soft_label_loss
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.program.capture import load_program
from edgevit.model.program.trainable import Outputs, Trainable
from edgevit.quantization.simulate import Int8Scheme, simulate
from edgevit.results.document import to_document
from edgevit.results.finetune import FinetunePoint
from edgevit.run.child_process import report_progress

Parameters = Literal["small", "all"]
"""All that are trained: norms, biases, class token and position table alone, or every weight."""

_WEIGHT_DECAY = 0.01
_WARMUP_SHARE = 0.05
_GRADIENT_NORM = 1.0
_TOO_FAR = 1.25
"""Factor by which the divergence may exceed that of the best step; beyond, training goes back there."""
_BACK_OFF = 0.25
"""Factor of the learning rate then."""
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
    """Views in each step."""
    feature_weight: float
    """Of the squared error of the features in the loss."""
    mixed_share: float
    """Of the batches, 0..1, whose images are mixed."""
    patience: int
    """Looks at the images kept apart without a smaller divergence, after which tuning stops."""
    max_seconds: float
    """Steps become fewer where all of them would take longer."""
    threads: int
    device: str
    """Of torch: "cpu", "cuda" or "mps"."""
    seed: int


@dataclass(frozen=True)
class SimulatedInt8:
    """An int8 artifact whose numbers the student computes with."""

    scheme: Int8Scheme
    calibration: PreparedImages
    """As the student takes them."""


@dataclass(frozen=True)
class FinetuneJob:
    """A model to tune, and its teacher, each captured for one image."""

    student: Path
    """Unfolded, see :func:`edgevit.model.program.trainable.capture_for_training`."""
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
    int8: SimulatedInt8 | None = None
    """None for a student that computes in float."""


@dataclass(frozen=True)
class Finetuned:
    """What tuning found; the weights are those of the step that answers most like the teacher."""

    weights: Path
    images_seen: int
    """At that step; 0 where none was better than the untuned student."""
    seconds: float
    curve: tuple[FinetunePoint, ...]
    note: str = ""
    """Why it ended before all steps."""


def finetune(job: FinetuneJob) -> Finetuned:
    """Tunes a model; one seed gives equal weights on one machine, whatever the number of threads, unless time runs out.

    One that was stopped goes on after its last look at the images kept apart.

    Raises:
        UsageError: it has no parameter to train.
        CandidateFailed: its predictions or its loss are not finite at once, or its int8 numbers cannot be simulated.
    """
    threads = job.settings.threads if job.settings.device == "cpu" else 1
    with ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        return _finetune(job, pool)


def _finetune(job: FinetuneJob, pool: ThreadPoolExecutor) -> Finetuned:
    settings, checkpoint = job.settings, job.weights.with_suffix(".checkpoint")
    teacher, student = (_trainable(program, settings.device) for program in (job.teacher, job.student))
    ranges = simulate(student.graph, job.int8.scheme, job.int8.calibration.array()) if job.int8 else None
    trained = _choose_parameters(student, settings.parameters)
    judge = _Judge(teacher, student, job, pool)
    training = _Training(trained, settings)
    key = hashlib.sha256(json.dumps(to_document(job), sort_keys=True).encode()).hexdigest()
    if (state := load_checkpoint(checkpoint, key)) is not None:
        training.load(state)
        if ranges:
            ranges.measure()
    else:
        training.look(float(judge.divergences().mean()))
    gradients = _Gradients(teacher, student, list(trained.values()), job, pool)
    while not training.note and training.done < training.total:
        training.step(gradients)
        if not training.note and training.looks_now:
            if ranges:
                ranges.measure()
            went_back = training.look(float(judge.divergences().mean()))
            if ranges and went_back:
                ranges.measure()
            save_checkpoint(checkpoint, key, training.state())
    save_file(training.best, job.weights)
    checkpoint.unlink(missing_ok=True)
    return Finetuned(
        weights=job.weights,
        images_seen=training.best_step * settings.batch_size,
        seconds=training.seconds,
        curve=tuple(FinetunePoint(step * settings.batch_size, divergence) for step, divergence in training.curve),
        note=training.note,
    )


def _trainable(path: Path, device: str) -> Trainable:
    program = load_program(path)
    return Trainable(program if device == "cpu" else move_to_device_pass(program, device))


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


class _Training:
    """The steps, and the weights of the best one: AdamW, warm-up, cosine to zero, less where the divergence rises far."""

    def __init__(self, trained: dict[str, nn.Parameter], settings: FinetuneSettings) -> None:
        weights = [value for value in trained.values() if not is_small(value)]
        small = [value for value in trained.values() if is_small(value)]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": small, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY)
        self._trained, self._settings = trained, settings
        self.total = math.ceil(settings.images_seen / settings.batch_size)
        self.done = 0
        self.best: dict[str, Tensor] = {}
        """Its weights."""
        self.best_step = 0
        self.curve: list[tuple[int, float]] = []
        """Step, and mean divergence on the images kept apart."""
        self.note = ""
        """Why no further step is made."""
        self._share = 1.0
        """Of the learning rate."""
        self._seconds_before, self._begun = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """So far, those before a stop included."""
        return self._seconds_before + time.monotonic() - self._begun

    @property
    def looks_now(self) -> bool:
        """Whether to look at the images kept apart after this step."""
        return self.done % max(1, self.total // _LOOKS) == 0 or self.done == self.total

    def step(self, gradients: Callable[[int], float]) -> None:
        """Makes a step.

        Args:
            gradients: Sets the gradients for a step, given its number, and returns the loss.

        Raises:
            CandidateFailed: the loss of the first step is not finite.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * self._share * _schedule(self.done / self.total)
        loss = gradients(self.done)
        if not math.isfinite(loss):
            if not self.done:
                raise CandidateFailed(f"fine-tuning stopped at its first step: the loss is {loss}")
            self.note = f"the loss was {loss} at step {self.done + 1} of {self.total}"
            return
        nn.utils.clip_grad_norm_(self._trained.values(), _GRADIENT_NORM)
        self._optimizer.step()
        self.done += 1
        if self.done == _TIMED_STEPS:
            affordable = int(self._settings.max_seconds / (time.monotonic() - self._begun) * self.done)
            self.total = max(self.done, min(self.total, affordable))
        divergence = self.curve[-1][1]
        report_progress(self.done, self.total, f"loss {loss:.3f}, divergence on images kept apart {divergence:.4f}")

    def look(self, divergence: float) -> bool:
        """Takes the weights of this step if they answer most like the teacher, or goes back if they are far from that.

        Args:
            divergence: Mean over the images kept apart, in nats.

        Returns:
            Whether it went back to the weights of the best step.

        Raises:
            CandidateFailed: it is not finite before the first step.
        """
        if not math.isfinite(divergence):
            if not self.done:
                raise CandidateFailed("fine-tuning cannot begin: the predictions of the untuned model are not finite")
            self.note = f"the predictions were no longer finite after {self.done * self._settings.batch_size} views"
            return False
        is_best = all(divergence < found for _, found in self.curve)
        went_too_far = not is_best and divergence > _TOO_FAR * min(found for _, found in self.curve)
        self.curve.append((self.done, divergence))
        if is_best:
            self.best_step = self.done
            self.best = {name: value.detach().cpu().clone().contiguous() for name, value in self._trained.items()}
        elif went_too_far:
            self._share *= _BACK_OFF
            self._set_weights(self.best)
        if sum(step > self.best_step for step, _ in self.curve) >= self._settings.patience:
            self.note = "the divergence no longer fell"
        return went_too_far

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs to go on from here."""
        return {
            "done": self.done,
            "total": self.total,
            "curve": self.curve,
            "best_step": self.best_step,
            "best": self.best,
            "note": self.note,
            "seconds": self.seconds,
            "share": self._share,
            "weights": {name: value.detach() for name, value in self._trained.items()},
            "optimizer": self._optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.done, self.total, self.best_step = state["done"], state["total"], state["best_step"]
        self.curve, self.best, self.note = [tuple(point) for point in state["curve"]], state["best"], state["note"]
        self._seconds_before, self._share = state["seconds"], state["share"]
        self._set_weights(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _set_weights(self, weights: dict[str, Tensor]) -> None:
        for name, value in self._trained.items():
            value.detach().copy_(weights[name])


class _Judge:
    """Compares student and teacher on the images kept apart."""

    def __init__(self, teacher: Trainable, student: Trainable, job: FinetuneJob, pool: ThreadPoolExecutor) -> None:
        self._student, self._images, self._pool = student, job.kept_for_student, pool
        self._device = job.settings.device
        self._expected = self._log_probabilities(teacher, job.kept)

    def divergences(self) -> np.ndarray:
        """Returns KL(teacher || student) of each image in nats, float64 [n]."""
        found = self._log_probabilities(self._student, self._images)
        divergence = (self._expected.exp() * (self._expected - found)).sum(dim=1)
        return np.asarray(divergence.numpy())

    def _log_probabilities(self, model: Trainable, images: PreparedImages) -> Tensor:
        parts = self._pool.map(lambda batch: self._logits(model, batch), images.batches(_MOST_AT_ONCE))
        return torch.cat(list(parts)).double().log_softmax(dim=1)

    def _logits(self, model: Trainable, batch: np.ndarray) -> Tensor:
        with torch.no_grad():  # holds for the thread that enters it
            return model(torch.from_numpy(batch).to(self._device)).logits.cpu()


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
        views = random_crops(torch.from_numpy(self._images.read_pixels(places)).permute(0, 3, 1, 2))
        return mix(views, float(torch.rand(()))) if torch.rand(()) < self._settings.mixed_share else views

    def _of_part(self, views: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        views = views.to(self._settings.device)
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


@lru_cache(maxsize=2)
def _order(count: int, seed: int) -> tuple[int, ...]:
    """Places 0 .. count - 1 in a random order."""
    return tuple(torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist())


def _seed_of(seed: int, number: int) -> int:
    """A seed for each number, different for different seeds."""
    return seed * 1_000_003 + number


def part_size(batch_size: int) -> int:
    """Returns how many images of a batch are computed at once: the largest divisor that is at most 16."""
    return max(size for size in range(1, _MOST_AT_ONCE + 1) if batch_size % size == 0)


def _schedule(progress: float) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero."""
    if progress < _WARMUP_SHARE:
        return progress / _WARMUP_SHARE if progress else _WARMUP_SHARE
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARMUP_SHARE) / (1 - _WARMUP_SHARE)))
