"""Prepares a captured program for int8, in a child process (see :mod:`edgevit.run.child_process`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.export import ExportedProgram

from edgevit.data.prepared import PreparedImages
from edgevit.errors import UsageError
from edgevit.model.program.capture import load_program, save_program
from edgevit.quantization.bias_correction import correct_bias
from edgevit.quantization.equalize import equalize
from edgevit.quantization.rewrites import rewrite
from edgevit.spec.recipe import REWRITES, Preparation


@dataclass(frozen=True)
class PrepareJob:
    """A captured program to change before export."""

    program: Path
    calibration: PreparedImages | None
    """None where no step needs images."""
    steps: tuple[Preparation, ...]
    """Rewrites are done first, in the order of :data:`edgevit.spec.recipe.Rewrite`; then weight changes, in the order
    given here. Options of the exporter and the quantizer are ignored."""
    target: Path
    """Appears whole, or not at all."""


@dataclass(frozen=True)
class Prepared:
    """A changed program on disk."""

    program: Path
    note: str
    """What each step did, for people."""


def prepare(job: PrepareJob) -> Prepared:
    """Carries out the steps of a job, and saves the changed program.

    Raises:
        CandidateFailed: a step changed what the program computes.
        UsageError: a step needs calibration images and there are none, or one cannot be read.
    """
    program, note = prepare_program(load_program(job.program), job.steps, job.calibration)
    save_program(program, job.target)
    return Prepared(job.target, note)


def prepare_program(
    program: ExportedProgram, steps: tuple[Preparation, ...], calibration: PreparedImages | None
) -> tuple[ExportedProgram, str]:
    """Carries out steps on a captured program, and returns the changed one and what each step did, for people.

    Args:
        program: Captured; is left as it was.
        steps: See :class:`PrepareJob`.
        calibration: See :class:`PrepareJob`.

    Raises:
        CandidateFailed: a step changed what the program computes.
        UsageError: a step needs calibration images and there are none, or one cannot be read.
    """
    torch.set_num_threads(1)  # single images are too small to share out, and busy cores make it far slower
    images = None if calibration is None else calibration.array()
    rewritten = rewrite(program, [step for step in steps if step in REWRITES], images)
    program, notes = rewritten.program, [f"{name}: {count} places" for name, count in rewritten.changed.items()]
    for step in steps:
        change = CHANGE_WEIGHTS.get(step)
        if change is None:
            continue
        if images is None:
            raise UsageError(f"{step} needs calibration images", "give --calibration")
        program, note = change(program, images)
        notes.append(note)
    return program, "; ".join(notes)


def _equalize(program: ExportedProgram, images: np.ndarray) -> tuple[ExportedProgram, str]:
    equalized = equalize(program, images)
    left = ", ".join(f"{count} for {obstacle}" for obstacle, count in equalized.skipped.items())
    return equalized.program, f"equalized {equalized.pairs} pairs" + (f" (left out: {left})" if left else "")


def _correct_bias(program: ExportedProgram, images: np.ndarray) -> tuple[ExportedProgram, str]:
    corrected = correct_bias(program, images)
    return corrected.program, f"corrected the bias of {corrected.layers} layers"


CHANGE_WEIGHTS: Mapping[Preparation, Callable[[ExportedProgram, np.ndarray], tuple[ExportedProgram, str]]] = {
    "equalize": _equalize,
    "bias_correction": _correct_bias,
}
"""The function of each :data:`edgevit.spec.recipe.WeightChange`: takes a program and images float32 [n, 3, h, w],
returns the changed program and a note of what was done."""
