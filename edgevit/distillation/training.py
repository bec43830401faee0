"""The loop of every training: steps, looks at images kept apart, the best weights, and what it takes to go on after a stop.

AdamW and the schedule (warm-up, then a cosine to zero) are timm's. What differs between trainings comes from outside: the
gradients of a step, and the score of a look.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from edgevit.errors import CandidateFailed
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.run.child_process import report_progress

Gradients: TypeAlias = Callable[[int], float]
"""Sets the gradients of a step, given its number, and returns the loss."""
Score: TypeAlias = tuple[float, ...]
"""What is found on the images kept apart; the smaller one is better, the first number counts before the others."""
Groups: TypeAlias = list[dict[str, Any]]
"""Parameters with the settings of their own, as torch's optimizers take them; ``lr_scale`` is a factor of the learning rate."""

_GRADIENT_NORM = 1.0
_TOO_FAR = 1.25
"""Factor by which the score may exceed that of the best step; beyond, training goes back there."""
_BACK_OFF = 0.25
"""Factor of the learning rate then."""
_TIMED_STEPS = 3
"""After which it is known how long all of them take; the first, which is much slower on a GPU, is not counted."""
_MOST_SKIPPED = 20
"""Steps in a row whose gradients are not finite, as half precision has some until its scale fits."""
_SAVED_S = 600.0
"""Seconds after which a checkpoint is written, also between looks."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long is trained, and how fast."""

    what: str
    """Names it in errors, such as "fine-tuning"."""
    steps: int
    looks: int
    """At the images kept apart, after equal numbers of steps."""
    learning_rate: float
    """Largest of the schedule."""
    weight_decay: float
    warmup_share: float
    """Of all steps, 0..1, in which the learning rate rises."""
    patience: int | None
    """Looks without a better score, after which it ends; None for all steps."""
    describe: Callable[[Score], str]
    """What people are told of a score."""
    no_better: str
    """Why it ended, where patience did."""
    max_seconds: float = math.inf
    """Steps become fewer where all of them would take longer."""
    goes_back: bool = False
    """To the best weights, with a smaller learning rate, where the score rises far."""


@dataclass(frozen=True)
class Look:
    """The model at one look at the images kept apart."""

    step: int
    """Steps done."""
    score: Score
    loss: float
    """Mean over the steps since the look before; NaN before the first."""
    learning_rate: float
    """Of the last step; 0 before the first."""


class Training:
    """The steps, and the weights of the best one."""

    def __init__(
        self,
        values: Mapping[str, Tensor],
        groups: Groups,
        plan: TrainingPlan,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        """Begins nothing yet.

        Args:
            values: All that is kept of a model, by name: what is trained, and statistics that change with it.
            groups: What is trained.
            plan: How.
            scaler: That gradients are scaled by; None for gradients as they are.
        """
        ensure_torchvision_schemas()
        from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]

        self._values, self._plan = dict(values), plan
        self._parameters: list[nn.Parameter] = [each for group in groups for each in group["params"]]
        self._optimizer = create_optimizer_v2(
            groups, opt="adamw", lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._scaler = scaler or torch.amp.GradScaler(enabled=False)
        self.total = plan.steps
        self._schedule = self._scheduled()
        self.done = 0
        self.best: dict[str, Tensor] = {}
        """Its weights."""
        self.best_step = 0
        self.curve: list[Look] = []
        self.note = ""
        """Why no further step is made."""
        self.failed = False
        """Whether that is a loss, gradients or predictions that are not finite."""
        self._share = 1.0
        """Of the learning rate."""
        self._losses: list[float] = []
        """Since the last look."""
        self._skipped = 0
        self._seconds_before, self._begun = 0.0, time.monotonic()
        self._first_ended = self._begun

    @property
    def seconds(self) -> float:
        """So far, those before a stop included."""
        return self._seconds_before + time.monotonic() - self._begun

    @property
    def looks_now(self) -> bool:
        """Whether to look at the images kept apart after this step."""
        return self.done % max(1, self.total // self._plan.looks) == 0 or self.done == self.total

    def run(
        self,
        gradients: Gradients,
        judge: Callable[[], Score],
        save: Callable[[dict[str, Any]], None],
        state: dict[str, Any] | None = None,
        after_change: Callable[[], None] = lambda: None,
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Makes all steps.

        Args:
            gradients: Of each step.
            judge: Looks at the images kept apart.
            save: Gets what it takes to go on, after each look, and every ten minutes.
            state: That of an earlier call, to go on from there; None to begin.
            after_change: Called where the weights have changed and are about to be used for a look.
            on_look: Called after each look.

        Raises:
            CandidateFailed: the first loss, or the score before, is not finite.
        """
        if state is None:
            self.look(judge())
            on_look()
        else:
            self.load(state)
            after_change()
        saved = time.monotonic()
        while not self.note and self.done < self.total:
            self.step(gradients)
            if self.note:
                break
            if self.looks_now:
                after_change()
                if self.look(judge()):
                    after_change()
                on_look()
            if self.looks_now or time.monotonic() - saved > _SAVED_S:
                if not self.failed:
                    save(self.state())
                saved = time.monotonic()

    def step(self, gradients: Gradients) -> None:
        """Makes a step.

        Args:
            gradients: Of the step.

        Raises:
            CandidateFailed: the loss of the first step is not finite.
        """
        # the first step of a warm-up that begins at 0 would change nothing
        self._schedule.step_update(self.done or self._plan.warmup_share * self._schedule.warmup_t)
        for group in self._optimizer.param_groups:
            group["lr"] *= self._share
        loss = gradients(self.done)
        if not math.isfinite(loss):
            if not self.done:
                raise CandidateFailed(f"{self._plan.what} stopped at its first step: the loss is {loss}")
            self._fail(f"the loss was {loss} at step {self.done + 1} of {self.total}")
            return
        self._losses.append(loss)
        self._scaler.unscale_(self._optimizer)
        if torch.isfinite(nn.utils.clip_grad_norm_(self._parameters, _GRADIENT_NORM)):
            self._scaler.step(self._optimizer)
            self._skipped = 0
        else:
            self._skipped += 1
        self._scaler.update()
        self.done += 1
        if self._skipped == _MOST_SKIPPED:
            self._fail(f"the gradients were not finite in {_MOST_SKIPPED} steps up to {self.done} of {self.total}")
            return
        if self.done == 1:
            self._first_ended = time.monotonic()
        if self.done == _TIMED_STEPS and math.isfinite(self._plan.max_seconds):
            self.total = min(self.total, self._affordable())
            self._schedule = self._scheduled()
        report_progress(self.done, self.total, f"loss {loss:.3f}, {self._plan.describe(self.curve[-1].score)}")

    def _scheduled(self) -> Any:
        from timm.scheduler import CosineLRScheduler  # type: ignore[attr-defined]

        warmup = self._plan.warmup_share * self.total
        return CosineLRScheduler(
            self._optimizer, t_initial=self.total - warmup, warmup_t=warmup, warmup_prefix=True, t_in_epochs=False
        )

    def _fail(self, why: str) -> None:
        self.note, self.failed = why, True

    def _affordable(self) -> int:
        """How many steps the time allows, those that were made included."""
        now = time.monotonic()
        seconds_per_step = (now - self._first_ended) / (self.done - 1)
        return self.done + max(0, int((self._plan.max_seconds - (now - self._begun)) / seconds_per_step))

    def look(self, score: Score) -> bool:
        """Takes the weights of this step if they are the best, or goes back if they are far from that.

        Args:
            score: Of the images kept apart.

        Returns:
            Whether it went back to the weights of the best step.

        Raises:
            CandidateFailed: it is not finite before the first step.
        """
        if not all(map(math.isfinite, score)):
            if not self.done:
                raise CandidateFailed(
                    f"{self._plan.what} cannot begin: the predictions are not finite before its first step"
                )
            self._fail(f"the predictions were no longer finite after {self.done} steps")
            return False
        is_best = all(score < look.score for look in self.curve)
        least = min((look.score for look in self.curve), default=score)
        went_too_far = self._plan.goes_back and not is_best and score[0] > _TOO_FAR * least[0]
        loss = sum(self._losses) / len(self._losses) if self._losses else math.nan
        rates = [group["lr"] / group.get("lr_scale", 1.0) for group in self._optimizer.param_groups]
        self.curve.append(Look(self.done, score, loss, rates[0] if self.done else 0.0))
        self._losses = []
        if is_best:
            self.best_step = self.done
            self.best = {name: value.detach().cpu().clone().contiguous() for name, value in self._values.items()}
        elif went_too_far:
            self._share *= _BACK_OFF
            self._set_weights(self.best)
        patience = self._plan.patience
        if patience is not None and sum(look.step > self.best_step for look in self.curve) >= patience:
            self.note = self._plan.no_better
        return went_too_far

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs to go on from here."""
        return {
            "done": self.done,
            "total": self.total,
            "curve": [[look.step, look.score, look.loss, look.learning_rate] for look in self.curve],
            "best_step": self.best_step,
            "best": self.best,
            "note": self.note,
            "seconds": self.seconds,
            "share": self._share,
            "losses": self._losses,
            "skipped": self._skipped,
            "weights": {name: value.detach() for name, value in self._values.items()},
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.done, self.total, self.best_step = state["done"], state["total"], state["best_step"]
        self.curve = [Look(step, tuple(score), loss, rate) for step, score, loss, rate in state["curve"]]
        self.best, self.note = state["best"], state["note"]
        self._losses, self._skipped = state["losses"], state["skipped"]
        self._seconds_before, self._share = state["seconds"], state["share"]
        self._set_weights(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._schedule = self._scheduled()

    def _set_weights(self, weights: dict[str, Tensor]) -> None:
        for name, value in self._values.items():
            value.detach().copy_(weights[name])
