"""One artifact with all that is known of it: verification, accuracy, measurements, predictions, status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from edgevit.results.artifact import Artifact, PassRecord
from edgevit.results.measurement import HOST, Measurement, Prediction
from edgevit.spec.recipe import Recipe

Status = Literal["ok", "rejected", "failed"]


@dataclass(frozen=True)
class Verification:
    """An artifact against the float model it came from, on the same inputs."""

    reference: str
    """"pytorch", or the id of the float candidate."""
    max_abs_diff: float
    max_rel_diff: float
    """Largest absolute difference over the largest absolute value of the reference."""
    snr_db: float | None
    """Signal-to-noise ratio of the logits; None when they are identical."""
    top1_agreement: float
    samples: int
    passed: bool
    undecided: int = 0
    """Images left out because rounding decided which token stays, so that no two runtimes need agree on them."""


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on labelled images; None where there are no labels."""

    top1: float | None
    top5: float | None
    samples: int
    drop_points: float | None
    """Top-1 of the baseline minus this one, in percentage points, on the same images."""


@dataclass(frozen=True)
class Contribution:
    """What one step on the way to an artifact changed: the artifact against the one it was made from."""

    name: str
    """"reduce_tokens", "resize" or "quantize"."""
    settings: str
    """The token plan, or the scheme and how it was carried out."""
    macs_before: int
    macs_after: int
    ms_before: float
    """Of both artifacts on this host, run in turn in one process, see :mod:`edgevit.measure.paired`."""
    ms_after: float
    drop_points: Annotated[float | None, Field(alias="lost_points")]
    """Of top-1, or, without labels, more images on which the class differs from the float model's; in percentage
    points, below 0 where there was a gain. None where images are made up."""

    @property
    def speed_up(self) -> float:
        """How many times faster."""
        return self.ms_before / self.ms_after


@dataclass(frozen=True)
class Attempt:
    """One way of quantizing a candidate that was tried."""

    rung: str
    """"policy" for the first guess, else the rung of the repair ladder."""
    recipe: Recipe
    top1: float | None
    agreement: float | None
    """With the float model, as a fraction."""
    drop_points: Annotated[float | None, Field(alias="lost_points")]
    """Drop of top-1 against the float model as brought; without labels, share of images it disagrees on; in
    percentage points. None where it could not be made or judged."""
    seconds: float
    """What it cost, with what had to be found out for it."""
    note: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class Candidate:
    """One artifact with all that is known of it, or the reason why there is none."""

    id: str
    backend: str
    format: str
    scheme: str
    passes: tuple[PassRecord, ...] = ()
    parent: str | None = None
    """Id of the float candidate that this one is compared with; None for a dense float one."""
    recipe: Recipe | None = None
    """How it was quantized; None for a float one."""
    attempts: tuple[Attempt, ...] = ()
    """What was tried on the repair ladder, in order; the recipe is that of the best."""
    artifact: Artifact | None = None
    verification: Verification | None = None
    accuracy: Accuracy | None = None
    measurements: tuple[Measurement, ...] = ()
    speed_up: float | None = None
    """How many times faster than ``parent`` on this host, run in turn in one process, see :mod:`edgevit.measure.paired`."""
    contributions: tuple[Contribution, ...] = ()
    """Step by step from the dense float candidate of the same backend to this one; none for that one itself."""
    predictions: tuple[Prediction, ...] = ()
    status: Status = "ok"
    reasons: tuple[str, ...] = ()

    def measurement(self, device: str = HOST) -> Measurement | None:
        """Returns the measurement taken on ``device``, or None."""
        return next((m for m in self.measurements if m.device == device), None)

    @property
    def p50_ms(self) -> float | None:
        """Median latency on this host, or None when it was not measured."""
        measurement = self.measurement()
        return measurement.latency_ms.p50 if measurement else None
