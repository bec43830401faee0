"""The PyTorch side of a run: reference logits and latency of a captured program, in a child process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from torch._C._functorch import _set_vmap_fallback_warning_enabled  # type: ignore[attr-defined]

from edgevit.artifacts.evaluate import LogitsFile, write_logits
from edgevit.artifacts.tiled import reduce_images
from edgevit.data.in_order import map_in_order
from edgevit.data.prepared import PreparedImages
from edgevit.errors import first_line
from edgevit.measure.bench import summarize, time_calls
from edgevit.model.program.capture import load_program
from edgevit.model.program.outputs import as_rows
from edgevit.results.measurement import LatencyMs

BATCH = 4
"""Images at once: so many share the cost of the calls, and still fit the caches; 16 made MobileNetV2 twice as slow."""
BATCH_TOLERANCE = 1e-5
"""Largest relative difference that batches may make; it is rounding, below 1e-6."""


@dataclass(frozen=True)
class ReferenceJob:
    """A captured program to run over images."""

    program: Path
    images: PreparedImages
    logits: Path
    """Where to write float32 [n, classes], as .npy; of named outputs all values, [n, values], of images that are not in tiles."""


@dataclass(frozen=True)
class LatencyJob:
    """A captured program to time."""

    program: Path
    threads: int
    min_runs: int
    min_seconds: float


def reference_logits(job: ReferenceJob) -> LogitsFile:
    """Runs a captured program over images, in small batches, and writes its logits.

    Each batch is computed by one thread, as many at a time as there are cores, on which the logits do not depend: two
    cores take half the time. Threads of PyTorch's own, which share out a single operation, wait for each other, and a
    busy core makes that ten times slower.
    """
    torch.set_num_threads(1)
    run = batched(cast(nn.Module, load_program(job.program).module()), next(job.images.batches(BATCH)))
    rows = map_in_order(run, job.images.batches(BATCH))
    write_logits(
        job.logits, len(job.images), reduce_images(rows, job.images.tile_counts, job.images.preprocessing.tiles)
    )
    return LogitsFile(job.logits, len(job.images))


def batched(module: nn.Module, images: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what runs a program that was captured for one image over several at once.

    The program is vectorized by :func:`torch.vmap`, unless that fails or changes the logits of the given images by more
    than rounding: then it is run image by image.

    Args:
        module: float32 [1, 3, h, w] to logits float32 [1, classes], or to named outputs; may be called by several threads.
        images: float32 [n, 3, h, w] to try it on.

    Returns:
        Function of float32 [n, 3, h, w] that returns float32 [n, classes], or all values of the outputs, [n, values].
    """

    def one_by_one(some: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([as_rows(module(torch.from_numpy(image[None]))) for image in some]).numpy()

    # attention has no rule for batches and is run image by image inside, as fast; each time PyTorch would warn of it
    _set_vmap_fallback_warning_enabled(False)
    vectorized = torch.vmap(lambda image: as_rows(module(image[None]))[0])

    def at_once(some: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(vectorized(torch.from_numpy(some)).numpy())

    try:
        found = at_once(images)
    except (RuntimeError, ValueError, TypeError) as error:
        print(f"images are run one by one: the program cannot be vectorized: {first_line(error)}")
        return one_by_one
    expected = one_by_one(images)
    difference = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
    if not difference <= BATCH_TOLERANCE:
        print(f"images are run one by one: in a batch their outputs differ by {difference:.1e} (relative)")
        return one_by_one
    return at_once


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
