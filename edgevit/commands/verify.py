"""Compares an artifact file of anyone with the float model it came from, on the same images, in child processes."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.feed import check_takes_image, image_size
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.usage import usage_of
from edgevit.artifacts.verify import FLOAT_TOLERANCE, compare, tolerance_of
from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.data.sampling import sample_images
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.host import check_threads
from edgevit.results.candidate import Verification
from edgevit.results.output import Output
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.input_file import require_file
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides

if TYPE_CHECKING:
    from torch import nn

_SEED = 0
"""Of the choice among the images, and of random weights."""
_PROGRAM = ".pt2"


@dataclass(frozen=True)
class FileVerification:
    """What is asked of a file."""

    artifact: Path
    images: str
    """Source of images; labels are not used."""
    samples: int | None
    """Images to compare on; all when None."""
    preprocessing: PreprocessingOverrides
    """What the user gave; the input size is the file's own."""
    tolerance: float | None
    """Largest relative difference of the logits; by the file's scheme when None."""
    threads: int


@dataclass(frozen=True)
class ReadFileJob:
    """A file to look at."""

    backend: str
    artifact: Path


@dataclass(frozen=True)
class FileFacts:
    """What comparing a file depends on."""

    input_size: tuple[int, int]
    outputs: tuple[Output, ...]
    """Empty for a classifier."""
    tolerance: float | None
    """By its numbers, see :func:`edgevit.artifacts.verify.tolerance_of`."""


def read_facts(job: ReadFileJob) -> FileFacts:
    """Reads what comparing a file depends on, where no contract says it.

    Raises:
        UsageError: it is damaged, or takes no single images.
    """
    backend = get_backend(job.backend)
    session = backend.open_session(job.artifact, 1, "f32")
    check_takes_image(session)
    only, *more = session.outputs
    is_row = not more and math.prod(only.shape) == max(only.shape, default=0)
    outputs = () if is_row else tuple(Output(each.name, tuple(each.shape[1:])) for each in session.outputs)
    is_float = backend.read_graph(job.artifact).numerics == "float"
    return FileFacts(image_size(session.inputs[0]), outputs, FLOAT_TOLERANCE if is_float else None)


def verify_file(asked: FileVerification, reference: nn.Module | ModelSpec | Path, progress: Progress) -> Verification:
    """Compares the outputs of a file with those of a float model, in float32.

    Args:
        asked: The file, and the images.
        reference: The module, in any mode, left as it is; how to load it; or a captured program (.pt2) or a float artifact.
        progress: Progress callback.

    Returns:
        The differences; ``passed`` is whether all are within the tolerance.

    Raises:
        UsageError: a file cannot be read or run, images cannot be read, or the preprocessing is not known.
        CheckFailed: the outputs have other shapes, or hold NaN or infinity.
    """
    check_threads(asked.threads)
    backend = backend_of_file(asked.artifact)
    usage = usage_of(asked.artifact, asked.preprocessing)
    for note in usage.notes:
        progress.message(note)
    images = open_images(asked.images)
    if asked.samples is not None:
        images = sample_images(images, asked.samples, _SEED, "evaluation")
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress) as children:
        if usage.contract:
            size, outputs = usage.contract.preprocessing.input_size, usage.contract.outputs
            facts = FileFacts(size, outputs, tolerance_of(usage.contract.scheme))
        else:
            with blaming_file(asked.artifact):
                read = ReadFileJob(backend.name, asked.artifact.absolute())
                facts = children.run(f"read {asked.artifact.name}", Task(read_facts, read, FileFacts))
        contract = replace(usage.preprocessing, input_size=facts.input_size)
        runner = _Runner(children, PreparedImages(images.samples, contract), asked.threads)
        name, expected = runner.reference(reference, Path(folder))
        found = runner.artifact(asked.artifact, Path(folder, "artifact.npy"))
        tolerance = facts.tolerance if asked.tolerance is None else asked.tolerance
        if facts.outputs:
            return compare_outputs(found, expected, name, tolerance, facts.outputs)
        return compare(found, expected, name, tolerance)


@dataclass(frozen=True)
class _Runner:
    """Runs models over the images."""

    children: ChildRunner
    images: PreparedImages
    threads: int

    def reference(self, reference: nn.Module | ModelSpec | Path, work: Path) -> tuple[str, np.ndarray]:
        """What the reference is called, and its logits."""
        if isinstance(reference, Path) and reference.suffix.lower() != _PROGRAM:
            return str(reference), self.artifact(reference, work / "reference.npy")
        from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits

        program = reference if isinstance(reference, Path) else work / "reference.pt2"
        if isinstance(reference, Path):
            require_file(program, "captured program", "write it with torch.export.save")
        else:
            self._capture(reference, program)
        job = ReferenceJob(program.absolute(), self.images, work / "reference.npy")
        with _blaming_reference(program):
            return "pytorch", read_rows(
                self.children.run("run PyTorch", Task(reference_logits, job, LogitsFile)).logits
            )

    def artifact(self, artifact: Path, logits: Path) -> np.ndarray:
        """The logits of a file, float [n, classes]."""
        job = InferenceJob(
            backend_of_file(artifact).name, artifact.absolute(), self.images, self.threads, "f32", logits
        )
        with blaming_file(artifact):
            return read_rows(self.children.run(f"run {artifact.name}", Task(run_images, job, LogitsFile)).logits)

    def _capture(self, reference: nn.Module | ModelSpec, program: Path) -> None:
        from edgevit.model.load import load_model
        from edgevit.model.program.capture import capture, save_program

        if isinstance(reference, ModelSpec):
            module = load_model(reference, _SEED).module
        else:
            module = copy.deepcopy(reference).cpu().float().eval().requires_grad_(False)
        wanted = self.images.preprocessing
        save_program(capture(module, wanted.input_size, wanted.channels), program)


@contextmanager
def _blaming_reference(program: Path) -> Iterator[None]:
    try:
        yield
    except CandidateFailed as error:
        raise UsageError(f"{program}: {error.message}", error.hint or "capture the model again") from error
