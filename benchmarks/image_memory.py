"""What many images cost in memory: each step that reads them, and the peak that is its process's own (Linux).

Noise is checked, preprocessed, run through a tiny classifier of 1,000 classes in PyTorch and in ONNX Runtime, compared
and scored; each step in a process of its own. Pages of mapped files, such as the array of all images, belong to the
system, which can drop them; what is anonymous is the process's own and must stay below 1 GiB.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgevit.artifacts.accuracy import read_answers
from edgevit.artifacts.evaluate import InferenceJob, run_images
from edgevit.artifacts.verify import compare, far_images
from edgevit.cli.terminal import print_message
from edgevit.data.images import open_images, set_sha256
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows
from edgevit.data.sampling import check_images
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task

if TYPE_CHECKING:
    from torch import nn

Result = TypeVar("Result")

IMAGES = 50_000
LIMIT_BYTES = 1 << 30
CLASSES = 1000
_SAMPLE_EVERY_S = 0.02
_TIMEOUT_SECONDS = 7200.0


@dataclass(frozen=True)
class StepJob:
    """A step over many images."""

    step: str
    images: PreparedImages
    folder: Path


@dataclass(frozen=True)
class StepCost:
    """What a step took."""

    step: str
    seconds: float
    own_peak_bytes: int
    """Largest sampled anonymous memory of its process (RssAnon)."""


def memory_of_steps(images: int, side: int, folder: Path) -> tuple[StepCost, ...]:
    """Carries out each step over so many images of noise, in a process of its own.

    Args:
        images: Number of images.
        side: Of the model's input, in pixels.
        folder: For the array of images and the logits; 3 * side² + 8,000 bytes per image.
    """
    half = (0.5, 0.5, 0.5)
    samples = open_images(f"noise:{images}").samples
    preprocessing = Preprocessing((side, side), half, half)
    prepared = PreparedImages(samples, preprocessing, folder / "pixels.npy")
    folder.mkdir(parents=True, exist_ok=True)
    _in_child(StepJob("make the model", prepared, folder))
    return tuple(_in_child(StepJob(step, prepared, folder)) for step in STEPS)


def carry_out(job: StepJob) -> StepCost:
    """Carries out a step and samples the memory of this process meanwhile."""
    begin = time.monotonic()
    with _sampled_memory() as peak:
        (_make_model if job.step == "make the model" else STEPS[job.step])(job)
    return StepCost(job.step, time.monotonic() - begin, peak())


def _check(job: StepJob) -> None:
    images = open_images(job.images.samples.source)
    check_images(images, CLASSES, job.images.preprocessing, lambda done, total: None)
    set_sha256(images)


def _preprocess(job: StepJob) -> None:
    assert job.images.pixels is not None
    made = prepare_images(PrepareImagesJob(job.images.samples, job.images.preprocessing, job.images.pixels))
    if made != job.images:
        raise RuntimeError("the array of images was not written: too little room")


def _pytorch(job: StepJob) -> None:
    from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits

    reference_logits(ReferenceJob(job.folder / "model.pt2", job.images, job.folder / "pytorch.npy"))


def _artifact(job: StepJob) -> None:
    artifact = job.folder / "artifact" / "model.onnx"
    run_images(InferenceJob("onnxruntime", artifact, job.images, 1, "f32", job.folder / "artifact.npy"))


def _judge(job: StepJob) -> None:
    logits, reference = read_rows(job.folder / "artifact.npy"), read_rows(job.folder / "pytorch.npy")
    far = far_images(logits, reference, 1e-4)
    verification = compare(logits, reference, "pytorch", 1e-4)
    answers = read_answers(logits, [image % CLASSES for image in range(len(logits))])
    if far or not verification.passed or len(answers.top1) != len(job.images):
        raise RuntimeError(f"{len(far)} images differ by {verification.max_rel_diff:.1e}")


STEPS: dict[str, Callable[[StepJob], None]] = {
    "check and hash": _check,
    "preprocess": _preprocess,
    "run in PyTorch": _pytorch,
    "run in ONNX Runtime": _artifact,
    "compare and score": _judge,
}


def _make_model(job: StepJob) -> None:
    from edgevit.artifacts.make import ExportJob, export_float
    from edgevit.model.program.capture import capture, save_program

    save_program(capture(_tiny_model(), job.images.preprocessing.input_size), job.folder / "model.pt2")
    export_float(ExportJob("onnxruntime", job.folder / "model.pt2", job.folder / "artifact"))


def _tiny_model() -> nn.Module:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, CLASSES))
    return nn.Sequential(*layers).eval()


def _in_child(job: StepJob) -> StepCost:
    print_message(f"{job.step} …")
    return run_in_child(Task(carry_out, job, StepCost), timeout_seconds=_TIMEOUT_SECONDS, log=job.folder / "images.log")


@contextlib.contextmanager
def _sampled_memory() -> Iterator[Callable[[], int]]:
    """Samples this process's own memory; what it gives returns the peak so far, in bytes."""
    peak, ended = own_memory(), threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(_SAMPLE_EVERY_S):
            peak = max(peak, own_memory())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield lambda: max(peak, own_memory())
    finally:
        ended.set()
        thread.join()


def own_memory() -> int:
    """Returns the anonymous resident memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status states no RssAnon")
