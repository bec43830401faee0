"""What training a model on a teacher's predictions, or on labels, brought: ``distill.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from edgevit.results.measurement import Host, Interval

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class DistillPoint:
    """The model at one look at the images kept apart."""

    step: int
    """0 before the first."""
    epoch: float
    loss: float | None
    """Mean over the steps since the look before; None before the first."""
    learning_rate: float
    """Of the last step."""
    kept_loss: float
    """Mean over the images kept apart, in nats: cross entropy with the labels, or without labels KL(teacher || student)."""
    kept_top1: float | None
    """Share of the images kept apart, 0..1, that are recognized; None without labels."""


@dataclass(frozen=True)
class TopOne:
    """How many images a model recognizes."""

    top1: float
    """0..1."""
    interval: Interval
    """Wilson interval of ``top1``."""


@dataclass(frozen=True)
class Evaluated:
    """Accuracy on images that had no part in the training."""

    images: int
    before: TopOne
    """Of the student as it began."""
    after: TopOne
    gain: Interval
    """95 % interval of after - before on the same images, in percentage points."""
    teacher: TopOne | None


@dataclass(frozen=True)
class TrainingImages:
    """What was trained on."""

    source: str
    images: int
    kept: int
    """Further ones of the source, kept apart, on which the step was chosen."""
    labels: bool
    """Whether their labels were used."""
    sha256: str
    """Of the sorted sha256 digests of all of them."""


@dataclass(frozen=True)
class DistillReport:
    """What ``edgevit distill`` found, as in its ``distill.json``."""

    edgevit_version: str
    created_at: str
    """UTC, ISO 8601."""
    student: str
    teacher: str | None
    """None where labels alone were learned."""
    spec: dict[str, Any]
    """The resolved spec, as JSON."""
    images: TrainingImages
    evaluation: Evaluated | None
    """None without images with labels to evaluate on."""
    weights: str
    """safetensors with the weights of the best step, relative to the folder of the document."""
    weights_sha256: str
    steps: int
    """Made in all."""
    best_step: int
    """Of the weights; 0 where no step was better than the student as it began."""
    seconds: float
    device: str
    """What it was trained on, as torch names it."""
    curve: tuple[DistillPoint, ...]
    host: Host
    tool_versions: dict[str, str]
    notes: tuple[str, ...] = ()
    """Why it ended early, and what has to be known of images and start."""
    schema_version: Literal[1] = SCHEMA_VERSION


def distill_json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``distill.json``."""
    from pydantic import TypeAdapter  # not where documents are only read

    return TypeAdapter(DistillReport).json_schema(mode="serialization")
