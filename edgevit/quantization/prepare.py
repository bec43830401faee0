"""Preparing a captured program for int8, in a process of its own (see :mod:`edgevit.run.child_process`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgevit.data.images import Samples, open_samples
from edgevit.errors import UsageError
from edgevit.model.program.capture import load_program, save_program
from edgevit.quantization.bias_correction import correct_bias
from edgevit.quantization.equalize import equalize
from edgevit.quantization.rewrites import REWRITES, rewrite
from edgevit.results.artifact import Preprocessing
from edgevit.spec.recipe import OF_THE_BACKEND, Preparation


@dataclass(frozen=True)
class PrepareJob:
    """A captured program to change before export."""

    program: Path
    calibration: Samples | None
    """None where no step looks at images."""
    preprocessing: Preprocessing
    steps: tuple[Preparation, ...]
    """In the order in which they are done."""
    target: Path
    """Appears whole, or not at all."""


@dataclass(frozen=True)
class Prepared:
    """A changed program on disk."""

    program: Path
    note: str
    """What each step did, for people."""


def prepare(job: PrepareJob) -> Prepared:
    """Rewrites a program, equalizes it, corrects its biases: whatever the job asks for.

    Raises:
        CandidateFailed: a step broke the program.
        UsageError: there are no calibration images, or one cannot be read.
    """
    torch.set_num_threads(1)  # single images are too small to share out, and busy cores make it far slower
    program = load_program(job.program)
    images = None if job.calibration is None else _images(job.calibration, job.preprocessing)
    rewritten = rewrite(program, [step for step in job.steps if step in REWRITES], images)
    program, notes = rewritten.program, [f"{name}: {count} places" for name, count in rewritten.changed.items()]
    for step in job.steps:
        if step in REWRITES or step in OF_THE_BACKEND:
            continue
        if images is None:
            raise UsageError(f"{step} needs calibration images", "give --calibration")
        if step == "equalize":
            equalized = equalize(program, images)
            left = ", ".join(f"{count} for {obstacle}" for obstacle, count in equalized.skipped.items())
            notes.append(f"equalized {equalized.pairs} pairs" + (f" (left out: {left})" if left else ""))
            program = equalized.program
        else:
            corrected = correct_bias(program, images)
            notes.append(f"corrected the bias of {corrected.layers} layers")
            program = corrected.program
    save_program(program, job.target)
    return Prepared(job.target, "; ".join(notes))


def _images(samples: Samples, preprocessing: Preprocessing) -> np.ndarray:
    return np.concatenate(list(open_samples(samples).batches(preprocessing)))
