"""Times one artifact from the encoded image to the logits: reading, decoding, preprocessing and inference."""

from __future__ import annotations

import io
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from edgevit.artifacts.evaluate import check_classifier, preprocessing_for, run_once
from edgevit.artifacts.usage import usage_of
from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.eval import choose_samples
from edgevit.commands.file_errors import blaming_file
from edgevit.data.images import Picture, Samples, open_samples
from edgevit.data.preprocess import fed_array, to_rgb
from edgevit.errors import UsageError
from edgevit.measure.bench import warm_up
from edgevit.measure.burst import WARMUP_RUNS, WARMUP_SECONDS
from edgevit.measure.conditions import activity_since, disturbances, not_judged, read_counters
from edgevit.measure.host import check_threads
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import report_progress
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides

GENERATED = "a generated JPEG of 500 × 375 pixels"
_MOST_IMAGES = 64
_SEED = 0


@dataclass(frozen=True)
class EndToEndJob:
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
class EndToEndLatency:
    """Medians over runs, in ms."""

    p50_ms: float
    decode_p50_ms: float
    """Reading and decoding, to upright 8-bit RGB."""
    preprocess_p50_ms: float
    """Resizing, cropping and normalizing."""
    inference_p50_ms: float
    """With the change to the layout and the numbers of the input."""
    runs: int
    images: str
    """Where they come from."""
    threads: int
    unstable: str
    """Why the latency is not to be relied on; "" if it is, or is not judged."""
    not_judged: str
    """Conditions that the system does not report; "" if it reports all of them."""


def time_file_end_to_end(
    artifact: Path, precision: str, settings: MeasureSpec, data: str | None, progress: Progress
) -> EndToEndLatency:
    """Times an artifact file on images, in a child process.

    Args:
        artifact: An image classifier; it need not be edgevit's.
        precision: "f32", "bf16" or "fastest".
        settings: Threads, and how long to measure.
        data: Source of images; a generated one when None.
        progress: Progress callback.

    Raises:
        UsageError: no such file or images, or no backend can run it, or it is not a classifier of single images, or
            the runtime crashed or ran out of time.
    """
    check_threads(settings.threads)
    job = EndToEndJob(
        backend=backend_of_file(artifact).name,
        artifact=artifact.absolute(),
        images=None if data is None else _some(choose_samples(data, None, _SEED)),
        preprocessing=_preprocessing(artifact),
        threads=settings.threads,
        precision=precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    with child_runner(progress, settings.timeout_seconds + settings.min_seconds) as children, blaming_file(artifact):
        return children.run(f"measure {artifact.name}", Task(time_end_to_end, job, EndToEndLatency, timing=True))


def time_end_to_end(job: EndToEndJob) -> EndToEndLatency:
    """Decodes, preprocesses and runs one image after another.

    Raises:
        UsageError: the file is not a classifier of single images, or an image cannot be read.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_classifier(session)
    contract = preprocessing_for(session.inputs[0], job.preprocessing)
    readers = itertools.cycle(_readers(job.images, contract))

    def step() -> tuple[float, ...]:
        """Milliseconds of decoding, of preprocessing and of inference of the next image."""
        moments = [time.perf_counter_ns()]
        image = next(readers)()
        moments.append(time.perf_counter_ns())
        fed = fed_array(image, contract)
        moments.append(time.perf_counter_ns())
        run_once(session, fed)
        moments.append(time.perf_counter_ns())
        return tuple((after - before) / 1e6 for before, after in itertools.pairwise(moments))

    warm_up(step, WARMUP_RUNS, WARMUP_SECONDS)
    begin = read_counters()
    steps: list[tuple[float, ...]] = []
    while len(steps) < job.min_runs or time.perf_counter() - begin.wall_s < job.min_seconds:
        steps.append(step())
        report_progress(min(99, 100 * len(steps) // job.min_runs), 100)
    activity = activity_since(begin)
    decode_ms, preprocess_ms, inference_ms = (median(times) for times in zip(*steps, strict=True))
    return EndToEndLatency(
        p50_ms=median(map(sum, steps)),
        decode_p50_ms=decode_ms,
        preprocess_p50_ms=preprocess_ms,
        inference_p50_ms=inference_ms,
        runs=len(steps),
        images=job.images.source if job.images else GENERATED,
        threads=job.threads,
        unstable="; ".join(map(str, disturbances(activity, job.threads, os.cpu_count() or 1, None))),
        not_judged=not_judged(activity),
    )


def _readers(images: Samples | None, contract: Preprocessing) -> list[Callable[[], Picture]]:
    """Functions that read and decode one image each."""
    if images is None and contract.channels in (1, 3) and contract.input == "image":
        encoded = generated_jpeg()
        return [lambda: to_rgb(Image.open(io.BytesIO(encoded))).convert("RGB" if contract.channels == 3 else "L")]
    if images is None:
        raise UsageError(
            f"nothing can be decoded to what it takes, {contract.channels} channels",
            "give --data, an .npz of such images",
        )
    opened = open_samples(images)
    return [partial(opened.picture, name, contract) for name in opened.ids]


def generated_jpeg() -> bytes:
    """Returns an encoded image of soft shapes, about as large as a photograph of its size."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _preprocessing(artifact: Path) -> Preprocessing:
    """What the file or its run states; of any other, the simplest that is usual, for the time hardly depends on it."""
    try:
        return usage_of(artifact, PreprocessingOverrides()).preprocessing
    except UsageError:
        return Preprocessing((1, 1), (0.5,), (0.5,))


def _some(samples: Samples) -> Samples:
    return Samples(samples.source, samples.ids[:_MOST_IMAGES])
