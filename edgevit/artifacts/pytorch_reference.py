"""The PyTorch side of a run: reference logits and latency of a captured program, in a child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from edgevit.artifacts.evaluate import LogitsFile, save_logits
from edgevit.data.images import Samples, open_samples
from edgevit.measure.bench import summarize, time_calls
from edgevit.model.program.capture import load_program
from edgevit.results.artifact import Preprocessing
from edgevit.results.measurement import LatencyMs
from edgevit.run.child_process import report_progress


@dataclass(frozen=True)
class ReferenceJob:
    """A captured program to run over images."""

    program: Path
    samples: Samples
    preprocessing: Preprocessing
    logits: Path
    """Where to write float32 [n, classes], as .npy."""


@dataclass(frozen=True)
class LatencyJob:
    """A captured program to time."""

    program: Path
    threads: int
    min_runs: int
    min_seconds: float


def reference_logits(job: ReferenceJob) -> LogitsFile:
    """Runs a captured program over images, one at a time, and writes its logits."""
    torch.set_num_threads(1)  # single images are too small to share out, and busy cores make it far slower
    module = cast(nn.Module, load_program(job.program).module())
    images = open_samples(job.samples)
    rows = []
    with torch.inference_mode():
        for batch in images.batches(job.preprocessing):
            rows.append(module(torch.from_numpy(batch)).numpy())
            report_progress(len(rows), len(images))
    save_logits(job.logits, np.concatenate(rows))
    return LogitsFile(job.logits, len(rows))


def pytorch_latency(job: LatencyJob) -> LatencyMs:
    """Times a captured program in PyTorch, batch 1.

    Raises:
        ValueError: the program was saved without example inputs.
    """
    torch.set_num_threads(job.threads)
    program = load_program(job.program)
    if program.example_inputs is None:
        raise ValueError("the program was saved without example inputs")
    module = cast(nn.Module, program.module())
    with torch.inference_mode():
        timing = time_calls(lambda: module(*program.example_inputs[0]), job.min_runs, job.min_seconds)
    return summarize(timing.samples_ms)
