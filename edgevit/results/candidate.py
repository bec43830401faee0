"""A candidate: an artifact with its verification, accuracy, measurements, predictions and status."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edgevit.results.alias import alias
from edgevit.results.artifact import Artifact, PassRecord
from edgevit.results.document import LATER
from edgevit.results.machine_state import not_stable
from edgevit.results.measurement import HOST, Interval, Measurement, Prediction, RoundLatency
from edgevit.results.metric import MetricScore
from edgevit.results.shift import ShiftedDrop, ShiftRecord, shifted_drops
from edgevit.spec.recipe import Recipe

Status = Literal["ok", "rejected", "failed"]


@dataclass(frozen=True)
class OutputDifference:
    """Comparison of one output of an artifact that is no classifier with the float model's."""

    name: str
    shape: tuple[int, ...]
    """Of one image."""
    max_abs_diff: float
    max_rel_diff: float
    """Largest absolute difference over the largest absolute value of the reference."""
    snr_db: float | None
    """Signal-to-noise ratio over all images; None when there is no noise."""
    cosine: float
    """Mean over the images of the cosine similarity, -1..1."""


@dataclass(frozen=True)
class Verification:
    """Comparison of an artifact with the float model it came from, on the same inputs."""

    reference: str
    """"pytorch", or the id of the float candidate."""
    max_abs_diff: float
    max_rel_diff: float
    """Largest absolute difference over the largest absolute value of the reference."""
    snr_db: float | None
    """Signal-to-noise ratio of the logits, or the least of several outputs; None when they are identical."""
    top1_agreement: float | None
    """Share of the images, 0..1, with the same top-1 class; None of a model that is no classifier."""
    samples: int
    passed: bool
    undecided: int = 0
    """Images left out because rounding decides which token is kept, so that two runtimes may differ on them."""
    outputs: Annotated[tuple[OutputDifference, ...], LATER] = ()
    """Each output of a model that is no classifier."""


@dataclass(frozen=True)
class ChangedClass:
    """Images of one class that are recognized less or more often than before compression."""

    label: int
    """Class index."""
    images: int
    top1_before: float
    """Share of these images, 0..1, that the original float model recognizes."""
    top1_after: float


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on images, as fractions."""

    top1: float | None
    """None where there are no labels."""
    top5: float | None
    """None where there are no labels, or no more than five classes."""
    samples: int
    drop_points: float | None
    """Top-1 of the baseline minus this top-1, in percentage points, on the same images; negative for a gain. None where
    there are no labels, or no baseline."""
    agreement: Annotated[float | None, LATER] = None
    """Share of the images, 0..1, with the same class as from the original float model; None where not known."""
    top1_interval: Annotated[Interval | None, LATER] = None
    """Wilson interval of ``top1``, as fractions; None where there are no labels."""
    drop_interval: Annotated[Interval | None, LATER] = None
    """Of ``drop_points``, in percentage points, from the images that the two models recognize differently; None where
    the original model's answer to each image is not known."""
    ece: Annotated[float | None, LATER] = None
    """Expected calibration error, 0..1, see :func:`edgevit.artifacts.accuracy.expected_calibration_error`."""
    changed_classes: Annotated[tuple[ChangedClass, ...], LATER] = ()
    """Classes whose top-1 changed most, largest change first; empty where none changed."""
    not_finite: Annotated[int, LATER] = 0
    """Images for which the logits hold NaN or infinity; they count as misses."""
    metric: Annotated[MetricScore | None, LATER] = None
    """What candidates are judged by where the spec names a metric; None where that is top-1, or without labels agreement."""

    @property
    def judged(self) -> MetricScore | None:
        """What candidates are judged by: the metric of the spec, else top-1, else agreement; None where nothing is known."""
        if self.metric:
            return self.metric
        if self.top1 is not None:
            return MetricScore("top1", "%", self.top1, self.drop_points, self.top1_interval, self.drop_interval)
        if self.agreement is not None:
            return MetricScore("agreement", "%", self.agreement, 100 * (1 - self.agreement))
        return None


@dataclass(frozen=True)
class SetAccuracy:
    """Accuracy on further images, which do not choose."""

    source: str
    """Of the images, as the spec names it."""
    accuracy: Accuracy


_ROUNDING = 1e-9
"""By which a drop may exceed the limit that it equals, in the unit of both."""


def within_budget(drop_points: float, max_drop: float) -> bool:
    """Returns whether an accuracy drop is allowed.

    Args:
        drop_points: In percentage points, or the unit of the metric; negative for a gain.
        max_drop: In the same.
    """
    return drop_points <= max_drop + _ROUNDING


@dataclass(frozen=True)
class Contribution:
    """What one step changed: an artifact compared with the one it was made from."""

    name: str
    """"reduce_tokens", "resize" or "quantize"."""
    settings: str
    """The token plan, or the scheme and how it was carried out."""
    macs_before: int
    macs_after: int
    ms_before: float
    """Median of the parent on this host, in ms; both artifacts interleaved in one process, see
    :mod:`edgevit.measure.paired`."""
    ms_after: float
    drop_points: Annotated[float | None, alias("lost_points")]
    """Drop of top-1, or, without labels, increase of the share of images that disagree with the float model; in
    percentage points, negative for a gain; of another metric its drop, see :class:`Accuracy`. None where images are
    synthetic."""

    @property
    def speed_up(self) -> float:
        """How many times faster the step made it."""
        return self.ms_before / self.ms_after


@dataclass(frozen=True)
class Attempt:
    """One way of quantizing a candidate that was tried."""

    rung: str
    """"policy" for the first guess, else the rung of the repair ladder."""
    recipe: Recipe
    top1: float | None
    agreement: float | None
    """Top-1 agreement with the float model, as a fraction."""
    drop_points: Annotated[float | None, alias("lost_points")]
    """Drop of top-1 against the original float model; without labels, share of images it disagrees on; in percentage
    points; of another metric its drop, see :class:`Accuracy`. None where it could not be made or judged."""
    seconds: float
    """Time it took, including any analysis it needed."""
    note: str = ""
    """Why it failed."""
    samples: Annotated[int | None, LATER] = None
    """Images that it was judged on: not all, where the first of them told that it loses too much. None in runs of an
    earlier version, where it was all, and where it failed."""


@dataclass(frozen=True)
class Candidate:
    """An artifact with all that is known of it, or the reason why there is none."""

    id: str
    backend: str
    format: str
    scheme: str
    passes: tuple[PassRecord, ...] = ()
    parent: str | None = None
    """Id of the float candidate that it is compared with; None for a dense float one."""
    recipe: Recipe | None = None
    """How it was quantized; None for a float one."""
    attempts: tuple[Attempt, ...] = ()
    """Attempts of the repair ladder, in order; ``recipe`` is that of the best."""
    artifact: Artifact | None = None
    verification: Verification | None = None
    accuracy: Accuracy | None = None
    measurements: tuple[Measurement, ...] = ()
    """What the first, single measurement said; latency to judge by is in ``latency``."""
    speed_up: float | None = None
    """How many times faster than ``parent`` on this host: the median of the paired ratios of the final round, or,
    before it and in runs without one, of the first comparison, see :mod:`edgevit.measure.paired`."""
    contributions: tuple[Contribution, ...] = ()
    """Steps from the dense float candidate of the same backend to this one, as first compared; empty for the dense
    float one."""
    predictions: tuple[Prediction, ...] = ()
    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    latency: Annotated[RoundLatency | None, LATER] = None
    """Latency on this host in the final round; None where it took no part, and in runs of an earlier version."""
    speed_up_interval: Annotated[Interval | None, LATER] = None
    """Of ``speed_up``; None unless it is from the final round."""
    top1_file: Annotated[str | None, LATER] = None
    """CSV file, relative to the run folder, with the label and the top-1 class of each image."""
    other_sets: Annotated[tuple[SetAccuracy, ...], LATER] = ()
    """Accuracy on the further evaluation sets of the spec, in their order; empty for a candidate that was rejected or failed
    before, and without such sets."""
    embedding: Annotated[Verification | None, LATER] = None
    """With its preprocessing embedded, against the same artifact that is fed from outside; None where it is not embedded."""
    on_boards: Annotated[dict[str, RoundLatency], LATER] = field(default_factory=dict)
    """Latency on each board of the run, by its name, in the rounds there; what had no part in them is not in it."""
    shift: Annotated[ShiftRecord | None, LATER] = None
    """What it loses against its float parent on corrupted images; None until ``edgevit eval --corruptions … --record``."""
    file: Annotated[Path | None, Field(exclude=True), LATER] = field(default=None, compare=False)
    """Of the artifact; known of a run that was carried out or loaded here, and not in ``run.json``."""

    def measurement(self, device: str = HOST) -> Measurement | None:
        """Returns the measurement taken on ``device``, or None."""
        return next((m for m in self.measurements if m.device == device), None)

    @property
    def p50_ms(self) -> float | None:
        """Median latency on this host in ms: of the final round, else of the first measurement; None without either."""
        if self.latency:
            return self.latency.p50_ms
        measurement = self.measurement()
        return measurement.latency_ms.p50 if measurement else None

    def latency_on(self, device: str) -> RoundLatency | None:
        """Returns the latency in the rounds on this host ("host") or on a board; None where it had no part in them."""
        return self.latency if device == HOST else self.on_boards.get(device)

    @property
    def unstable(self) -> str:
        """Why the latency that ``p50_ms`` states cannot be relied on; "" where it can, or there is none."""
        if self.latency:
            return self.latency.unstable
        measurement = self.measurement()
        return measurement.conditions.unstable if measurement else ""

    @property
    def not_stable(self) -> str:
        """The same, and what changed of the machine meanwhile; "" for neither."""
        if self.latency:
            return not_stable(self.unstable, self.latency.machine)
        measurement = self.measurement()
        return not_stable(self.unstable, measurement.conditions.machine) if measurement else ""

    def prediction(self, device: str) -> Prediction | None:
        """Returns the prediction for ``device``, or None."""
        return next((p for p in self.predictions if p.device == device), None)

    @property
    def shifted_drop(self) -> ShiftedDrop | None:
        """The largest drop under any shift: corrupted images, and further evaluation sets; None where there is neither."""
        found = list(shifted_drops(self.shift)) if self.shift else []
        for further in self.other_sets:
            if further.accuracy.drop_points is not None:
                drop = ShiftedDrop(further.source, further.accuracy.drop_points, further.accuracy.drop_interval)
                found.append(drop)
        return max(found, key=lambda each: each.drop_points, default=None)
