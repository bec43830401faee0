"""Looks at the model between its passes: captures it, and keeps its logits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from edgevit.artifacts.accuracy import score
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, count_macs, save_program
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.tasks import reference_task
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.run.stages import Stages


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
    """PyTorch's, float32 [images, classes], on the images of the run; of a model that is no classifier all values."""
    top1: float | None


def take_snapshot(
    stages: Stages, inputs: Inputs, slug: str, module: nn.Module, preprocessing: Preprocessing
) -> Snapshot:
    """Captures a module and runs it over the images of a run.

    Args:
        stages: Of the run.
        inputs: Their images are what it is run over.
        slug: Names the files.
        module: In eval mode, float32 [1, 3, h, w] to logits [1, classes], or to each output by name.
        preprocessing: Of the module.
    """
    captured = capture_module(stages, slug, module, preprocessing)
    images = evaluation_images(stages, inputs, preprocessing)
    job = ReferenceJob(captured.program, images, stages.folder.work(f"{slug}.logits.npy"))
    logits = stages.run_in_child(f"evaluate {slug} in PyTorch", f"pytorch-{slug}", reference_task(job)).logits
    is_classifier = bool(inputs.model.num_classes)
    top1 = score(np.load(logits, mmap_mode="r"), inputs.labels, None).top1 if is_classifier else None
    return Snapshot(captured, logits, top1)


def capture_module(stages: Stages, slug: str, module: nn.Module, preprocessing: Preprocessing) -> Captured:
    """Captures a module without running it over the images; see :func:`take_snapshot`."""
    path = stages.folder.work(f"{slug}.pt2")

    def make() -> Captured:
        program = capture(module, preprocessing.input_size, preprocessing.channels)
        save_program(program, path)
        return Captured(path, count_macs(program), is_transformer(program))

    return stages.run(f"capture {slug}", Captured, make, lambda answer: (answer.program,))


def pass_record(name: str, settings: str, before: Snapshot, after: Snapshot) -> PassRecord:
    """Returns the record of what a pass changed."""
    return PassRecord(name, settings, before.captured.macs, after.captured.macs, before.top1, after.top1)
