"""Times one artifact from the encoded image to its outputs: decoding, resizing and the model apart."""

from __future__ import annotations

import io
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from edgevit.artifacts.feed import check_takes_image, preprocessing_for, run_once
from edgevit.artifacts.tiled import merge_tiles
from edgevit.artifacts.usage import usage_of
from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.eval import choose_samples
from edgevit.commands.file_errors import blaming_file
from edgevit.data.images import Picture, Samples, open_samples
from edgevit.data.preprocess import fed_views, size_of, to_rgb
from edgevit.data.tiles import tiles_of
from edgevit.errors import UsageError
from edgevit.measure.bench import warm_up
from edgevit.measure.burst import WARMUP_RUNS, WARMUP_SECONDS
from edgevit.measure.conditions import activity_since, disturbances, not_judged, read_counters
from edgevit.measure.host import check_threads
from edgevit.measure.machine_changes import machine_conditions
from edgevit.measure.machine_state import cpu_name, read_state
from edgevit.measure.machine_watch import watching
from edgevit.results.artifact import Preprocessing
from edgevit.results.image_pipeline import PipelineTimes, pipeline_times
from edgevit.results.machine_state import MachineConditions, MachineSpan
from edgevit.run.child_process import report_progress
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides

GENERATED: Final = "generated"
"""Source of images that needs no files: a JPEG of 500 x 375 pixels."""
_MOST_IMAGES = 64
_NO_ENERGY = "`edgevit bench FILE` measures that of the model"
_SEED = 0


@dataclass(frozen=True)
class PipelineJob:
    """An artifact to time on images."""

    backend: str
    artifact: Path
    images: Samples | None
    """None for a generated image."""
    preprocessing: Preprocessing
    """Its input size is replaced by the file's own."""
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    min_runs: int
    min_seconds: float
    """Images are taken in turn until both minima are reached."""


@dataclass(frozen=True)
class PipelineLatency:
    """What was measured, and under which conditions."""

    times: PipelineTimes
    images: str
    """Where they come from."""
    threads: int
    unstable: str
    """Why the times are not to be relied on; "" if they are, or are not judged."""
    not_judged: str
    """Conditions that the system does not report; "" if it reports all of them."""
    machine: MachineConditions | None = None
    """The machine before, during and after."""
    inferences_per_image: float = 1.0
    """More than one where images are fed in tiles; the mean over the images."""


def time_file_pipeline(
    artifact: Path,
    precision: str,
    settings: MeasureSpec,
    images: str,
    overrides: PreprocessingOverrides,
    progress: Progress,
) -> PipelineLatency:
    """Times an artifact file on images, in a child process.

    Args:
        artifact: A model of single images; it need not be edgevit's.
        precision: "f32", "bf16" or "fastest".
        settings: Threads, and how long to measure.
        images: Source of images, or ``GENERATED``.
        overrides: Of what the file states: tiles, or nothing.
        progress: Progress callback.

    Raises:
        UsageError: no such file or images, or no backend can run it, or it does not take single images, or
            the runtime crashed or ran out of time.
    """
    check_threads(settings.threads)
    job = PipelineJob(
        backend=backend_of_file(artifact).name,
        artifact=artifact.absolute(),
        images=None if images == GENERATED else _some(choose_samples(images, None, _SEED)),
        preprocessing=_preprocessing(artifact, overrides),
        threads=settings.threads,
        precision=precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    with child_runner(progress, settings.timeout_seconds + settings.min_seconds) as children, blaming_file(artifact):
        return children.run(f"measure {artifact.name}", Task(time_pipeline, job, PipelineLatency, timing=True))


def time_pipeline(job: PipelineJob) -> PipelineLatency:
    """Decodes, preprocesses and runs one image after another.

    Raises:
        UsageError: the file does not take single images, or an image cannot be read.
    """
    before = read_state()
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_takes_image(session)
    contract = preprocessing_for(session.inputs[0], job.preprocessing)
    readers = itertools.cycle(_readers(job.images, contract))
    inferences: list[int] = []

    def step() -> tuple[float, ...]:
        """Milliseconds of each step of the next image; of one in tiles, of all of them together."""
        begin = time.perf_counter_ns()
        image = next(readers)()
        decoded = ended = time.perf_counter_ns()
        resizing, rows = 0, []
        for view in fed_views(image, contract):
            resizing += time.perf_counter_ns() - ended
            rows.append(run_once(session, view))
            ended = time.perf_counter_ns()
        inferences.append(len(rows))
        list(merge_tiles(rows, (size_of(image),), contract.tiles, session))
        ended = time.perf_counter_ns()
        return tuple(each / 1e6 for each in (decoded - begin, resizing, ended - decoded - resizing))

    warm_up(step, WARMUP_RUNS, WARMUP_SECONDS)
    steps: list[tuple[float, ...]] = []
    with watching(job.threads) as watch:
        begin = read_counters()
        while len(steps) < job.min_runs or time.perf_counter() - begin.wall_s < job.min_seconds:
            steps.append(step())
            watch.look_if_due()
            report_progress(min(99, 100 * len(steps) // job.min_runs), 100)
        activity = activity_since(begin)
    span = MachineSpan(before, watch.found(), read_state())
    machine = machine_conditions(cpu_name(), span, activity.other_cores, None, _NO_ENERGY)
    return PipelineLatency(
        times=pipeline_times(steps),
        images=job.images.source if job.images else GENERATED,
        threads=job.threads,
        unstable="; ".join(
            map(str, (*disturbances(activity, job.threads, os.cpu_count() or 1, None), *machine.throttled))
        ),
        not_judged=not_judged(activity, span.after.unknown),
        machine=machine,
        inferences_per_image=sum(inferences) / len(inferences),
    )


def _readers(images: Samples | None, contract: Preprocessing) -> list[Callable[[], Picture]]:
    """Functions that read and decode one image each."""
    if images is None and contract.channels in (1, 3) and contract.input == "image":
        encoded = generated_jpeg()
        return [lambda: to_rgb(Image.open(io.BytesIO(encoded))).convert("RGB" if contract.channels == 3 else "L")]
    if images is None:
        raise UsageError(
            f"nothing can be decoded to what it takes, {contract.channels} channels",
            "give --pipeline IMAGES, an .npz of such images",
        )
    opened = open_samples(images)
    return [partial(opened.picture, name, contract) for name in opened.ids]


def generated_jpeg() -> bytes:
    """Returns an encoded image of soft shapes, about as large as a photograph of its size."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _preprocessing(artifact: Path, overrides: PreprocessingOverrides) -> Preprocessing:
    """What the file or its run states; of any other, the simplest that is usual, for the time hardly depends on it."""
    try:
        return usage_of(artifact, overrides).preprocessing
    except UsageError:
        return Preprocessing((1, 1), (0.5,), (0.5,), tiles=tiles_of(overrides.tiles))


def _some(samples: Samples) -> Samples:
    return Samples(samples.source, samples.ids[:_MOST_IMAGES])
