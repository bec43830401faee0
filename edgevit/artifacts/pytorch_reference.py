"""The PyTorch side of a run: reference logits and latency of a captured program, in a child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn

from edgevit.artifacts.evaluate import LogitsFile, write_logits
from edgevit.data.prepared import PreparedImages
from edgevit.measure.bench import summarize, time_calls
from edgevit.model.program.capture import load_program
from edgevit.results.measurement import LatencyMs


@dataclass(frozen=True)
class ReferenceJob:
    """A captured program to run over images."""

    program: Path
    images: PreparedImages
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
    with torch.inference_mode():
        batches = (module(torch.from_numpy(image)).numpy() for image in job.images.batches())
        write_logits(job.logits, len(job.images), batches)
    return LogitsFile(job.logits, len(job.images))


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
