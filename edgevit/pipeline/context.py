"""What the candidates of a run share, and what one is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edgevit.artifacts.evaluate import score
from edgevit.backends import Backend
from edgevit.data.images import Samples
from edgevit.quantization.policy import Target
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.run.stages import Workshop
from edgevit.spec.token_plan import Form


@dataclass(frozen=True)
class Variant:
    """The model after some passes, captured."""

    slug: str
    """Third part of a candidate id: "dense", or the plan and form by which it has fewer tokens."""
    program: Path
    preprocessing: Preprocessing
    """What its images go through; a resized model wants them smaller than the others of the run."""
    passes: tuple[PassRecord, ...]
    reference: Path
    """PyTorch's logits on the images that artifacts are verified with."""
    form: Form | None = None
    """How the graph picks tokens; None where none leave."""
    margins: Path | None = None
    """Captured program that tells how close an image's token selection was; None where no tokens leave."""


Alternatives: TypeAlias = tuple[Variant, ...]
"""Variants that compute the same in different ways; a backend goes on with the one that suits it best."""


@dataclass(frozen=True)
class Job:
    """What all candidates of a run share."""

    shop: Workshop
    num_classes: int
    target: Target
    images: Samples
    """Artifacts are verified, and where there are labels evaluated, on these."""
    labels: tuple[int, ...] | None
    judged: bool
    """Whether ``images`` are real, so that agreement on them means something."""
    calibration: Samples | None
    baseline_top1: float | None
    baseline_logits: Path

    def drop_points(self, logits: np.ndarray) -> float | None:
        """What logits lose against the model as brought, in percentage points.

        Returns:
            The drop of top-1; without labels the share of images on which the classes differ; None if the images
            are made up.
        """
        if self.labels is not None:
            return score(logits, self.labels, self.baseline_top1).drop_points
        return 100 * (1 - self.agreement(logits)) if self.judged else None

    def agreement(self, logits: np.ndarray) -> float:
        """Share of the images that get the same class as from the model as brought."""
        return float((logits.argmax(axis=1) == np.load(self.baseline_logits).argmax(axis=1)).mean())

    def logits_path(self, candidate_id: str) -> Path:
        """Where the logits of a candidate are kept."""
        return self.shop.folder.work(f"{candidate_id.replace('/', '--')}.logits.npy")


@dataclass(frozen=True)
class Draft:
    """A candidate while it is made, with what it is made from."""

    backend: Backend
    variant: Variant
    parent: Candidate | None
    """Float candidate to compare with; None for the dense float one."""
    candidate: Candidate
