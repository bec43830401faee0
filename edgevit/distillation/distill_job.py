"""A model to train on a teacher's predictions, on labels or on both; how; and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.data.images import Samples
from edgevit.results.distillation import DistillPoint, Evaluated
from edgevit.spec.spec import DistillSpec, ModelSpec


@dataclass(frozen=True)
class LabelledImages:
    """Images of a source, with the class of each where it is known."""

    samples: Samples
    labels: tuple[int, ...] | None
    """Output of the model for each image."""

    def __len__(self) -> int:
        return len(self.samples.ids)


@dataclass(frozen=True)
class DistillJob:
    """A student to train."""

    student: ModelSpec
    """Without weights it begins as its code initializes it."""
    tokens: str
    """Token plan that it has while it is trained; "none" for all tokens."""
    settings: DistillSpec
    images: LabelledImages
    """To train on."""
    images_sha256: str
    """Of these, see :func:`edgevit.data.images.order_sha256`."""
    kept: LabelledImages
    """Kept apart: the step that is best on them is taken."""
    evaluation: LabelledImages | None
    """To evaluate on before and after, which choose nothing; None for none."""
    device: str
    """Of torch: "cpu", "cuda" or "mps"."""
    threads: int
    """Of all processes on this machine together."""
    seed: int
    weights: Path
    """Where to write all weights of the student, as safetensors; a log and a checkpoint are written beside it."""
    tensorboard: Path | None = None
    """Folder for a log that TensorBoard reads; None for none."""
    search_path: tuple[str, ...] = ()
    """Where modules of the user are found."""


@dataclass(frozen=True)
class Distilled:
    """What training found; the weights are those of the step that is best on the images kept apart."""

    weights: Path
    steps: int
    """Made in all."""
    best_step: int
    """0 where none was better than the student as it began."""
    seconds: float
    curve: tuple[DistillPoint, ...]
    evaluated: Evaluated | None
    """None without images with labels to evaluate on."""
    notes: tuple[str, ...] = ()
    """Why it ended early, and what has to be known of the start."""
