"""A model to fine-tune, how, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgevit.data.prepared import PreparedImages
from edgevit.quantization.simulate import Int8Scheme
from edgevit.results.finetune import FinetunePoint

Parameters = Literal["small", "all"]
"""All that are trained: norms, biases, class token and position table alone, or every weight."""


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
