"""Looks at the model between its passes: captures it, and keeps its logits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from edgevit.artifacts.evaluate import score
from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits
from edgevit.data.images import Samples
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, count_macs, save_program
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.run.stages import Workshop


@dataclass(frozen=True)
class Captured:
    """A captured program on disk."""

    program: Path
    macs: int
    transformer: bool


@dataclass(frozen=True)
class Snapshot:
    """The model after some passes."""

    captured: Captured
    logits: Path
    """PyTorch's, on the images of the run."""
    top1: float | None


@dataclass(frozen=True)
class Bench:
    """Where snapshots are taken."""

    shop: Workshop
    labels: tuple[int, ...] | None
    images: Samples
    """PyTorch's logits are taken on these, for artifacts to be compared with."""

    def snapshot(self, slug: str, module: nn.Module, preprocessing: Preprocessing) -> Snapshot:
        """Captures a module and runs it over the images."""
        captured = self.capture(slug, module, preprocessing)
        job = ReferenceJob(captured.program, self.images, preprocessing, self.shop.folder.work(f"{slug}.logits.npy"))
        logits = self.shop.in_child(
            f"evaluate {slug} in PyTorch", f"pytorch-{slug}", reference_logits, job, lambda answer: (answer.logits,)
        ).logits
        return Snapshot(captured, logits, score(np.load(logits), self.labels, None).top1)

    def capture(self, slug: str, module: nn.Module, preprocessing: Preprocessing) -> Captured:
        """Captures a module without running it over the images."""
        path = self.shop.folder.work(f"{slug}.pt2")

        def make() -> Captured:
            program = capture(module, preprocessing.input_size)
            save_program(program, path)
            return Captured(path, count_macs(program), is_transformer(program))

        return self.shop.here(f"capture {slug}", make, Captured, lambda answer: (answer.program,))


def record(name: str, settings: str, before: Snapshot, after: Snapshot) -> PassRecord:
    """What a pass changed."""
    return PassRecord(name, settings, before.captured.macs, after.captured.macs, before.top1, after.top1)
