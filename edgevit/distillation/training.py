"""The steps of a training, and the weights of the best one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgevit.distillation.finetune_job import FinetuneSettings
from edgevit.distillation.parameters import is_small
from edgevit.errors import CandidateFailed
from edgevit.run.child_process import report_progress

_WEIGHT_DECAY = 0.01
_WARMUP_SHARE = 0.05
_GRADIENT_NORM = 1.0
_TOO_FAR = 1.25
"""Factor by which the divergence may exceed that of the best step; beyond, training goes back there."""
_BACK_OFF = 0.25
"""Factor of the learning rate then."""
_LOOKS = 10
"""At the images kept apart, after equal numbers of steps."""
_TIMED_STEPS = 3
"""After which it is known how long all of them take; the first, which is much slower on a GPU, is not counted."""


class Training:
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
        self._first_ended = self._begun

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
        if self.done == 1:
            self._first_ended = time.monotonic()
        if self.done == _TIMED_STEPS:
            self.total = min(self.total, self._affordable())
        divergence = self.curve[-1][1]
        report_progress(self.done, self.total, f"loss {loss:.3f}, divergence on images kept apart {divergence:.4f}")

    def _affordable(self) -> int:
        """How many steps the time allows, those that were made included."""
        now = time.monotonic()
        seconds_per_step = (now - self._first_ended) / (self.done - 1)
        return self.done + max(0, int((self._settings.max_seconds - (now - self._begun)) / seconds_per_step))

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


def _schedule(progress: float) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero."""
    if progress < _WARMUP_SHARE:
        return progress / _WARMUP_SHARE if progress else _WARMUP_SHARE
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARMUP_SHARE) / (1 - _WARMUP_SHARE)))
