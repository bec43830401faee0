"""What fine-tuning a candidate's weights brought, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edgevit.results.document import LATER
from edgevit.results.measurement import Interval


@dataclass(frozen=True)
class FinetunePoint:
    """The model at one look at the images kept apart."""

    images_seen: int
    """0 before the first step."""
    divergence: float
    """Mean over the images kept apart of KL(dense || tuned), in nats."""


@dataclass(frozen=True)
class Finetune:
    """One fine-tuning of a variant of the model, on the predictions of the dense float model or of the teacher that it was distilled from."""

    variant: str
    """Slug of the variant that was tuned; that of the tuned one ends in the rung."""
    rung: str
    """"quick": norms, biases, class token and position table; "full": all weights."""
    images: int
    """Different images that it was tuned on."""
    kept: int
    """Images kept apart, on which the step was chosen."""
    images_seen: int
    """At the step whose weights were taken, views of an image counted each."""
    seconds: float
    before: float
    """Mean over the images kept apart, few of them with centre crops of theirs, of KL(dense || untuned), in nats, by the answers of the file."""
    after: float
    """The same of the tuned one; ``before`` where no step was better than the first."""
    change: Interval
    """95 % bootstrap interval of the mean of the paired differences ``after`` - ``before``, in nats."""
    weights: str | None
    """safetensors with the weights of the model, relative to the run folder; None where it is not better."""
    curve: tuple[FinetunePoint, ...]
    """As trained: in PyTorch, in float or with int8 simulated."""
    note: str = ""
    """Why it ended early."""
    untuned: str = ""
    """Id of the candidate that was tuned; "" in runs of before 0.2, which tuned variants."""
    tuned: str = ""
    """Id of the candidate with the tuned weights; "" where no step was better than the first."""
    teacher: Annotated[str, LATER] = ""
    """Model whose predictions were learned; "" for the dense float model itself. ``before`` and ``after`` are then the divergences
    from it."""
    simulated: Annotated[str, LATER] = ""
    """Scheme whose int8 was simulated in training; "" where it was trained in float, and in older runs, which do not tell."""

    @property
    def better(self) -> bool:
        """Whether the divergence fell, beyond chance."""
        return self.change.high < 0
