"""Compares the outputs of a file with those of another one on the same images, in child processes: what embeddings and maps are worth."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgevit.artifacts.evaluate import (
    InferenceJob,
    LogitsFile,
    check_takes_image,
    image_size,
    preprocessing_for,
    run_images,
)
from edgevit.artifacts.metrics.fidelity import COSINE
from edgevit.artifacts.metrics.judge import score_alone
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.outputs import outputs_of_file, split_rows
from edgevit.artifacts.usage import Usage
from edgevit.backends import backend_of_file, get_backend
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec
from edgevit.results.candidate import Accuracy
from edgevit.results.file_score import FileScore
from edgevit.results.output import Output, outputs_line
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task


@dataclass(frozen=True)
class TwoFiles:
    """What is asked: a file, and the one that it is compared with."""

    artifact: Path
    reference: Path
    """Mostly the float file that it was made from."""
    usage: Usage
    """Of ``artifact``: both files get the same pixels."""
    samples: Samples
    threads: int
    precision: str
    timeout_seconds: float | None
    metric: Metric = COSINE
    """Needs no labels."""


@dataclass(frozen=True)
class ReadPortsJob:
    """A file to open."""

    backend: str
    artifact: Path
    threads: int
    precision: str


@dataclass(frozen=True)
class Ports:
    """What a file takes and gives."""

    input: TensorSpec
    outputs: tuple[Output, ...]


def compare_files(asked: TwoFiles, progress: Progress) -> FileScore:
    """Runs two files over the same images and compares their outputs one by one.

    Args:
        asked: The files and the images.
        progress: Progress callback.

    Returns:
        The value of the metric, and each output's differences.

    Raises:
        UsageError: a file does not take single RGB images, or they take images of other sizes or give other outputs.
        CandidateFailed: a runtime crashed, or ran out of time.
        CheckFailed: the file gave NaN or infinity.
    """
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress, asked.timeout_seconds) as run:
        ports, others = (_ports(asked, file, run) for file in (asked.artifact, asked.reference))
        _check_alike(asked, ports, others)
        wanted = preprocessing_for(ports.input, asked.usage.preprocessing)
        prepare = PrepareImagesJob(asked.samples, wanted, Path(folder, "images.npy"))
        images = run.run("preprocess images", Task(prepare_images, prepare, PreparedImages))
        rows, reference = (
            read_rows(_run(asked, file, images, Path(folder, f"{place}.npy"), run))
            for place, file in enumerate((asked.artifact, asked.reference))
        )
        named = _named(asked.usage, ports)
        found = compare_outputs(rows, reference, asked.reference.name, None, named)
        predictions = Predictions(split_rows(rows, named), split_rows(reference, named), None)
        metric = score_alone(asked.metric, predictions, intervals=False)
    accuracy = Accuracy(None, None, len(images), None, metric=metric)
    return FileScore(accuracy, {}, asked.usage.notes, outputs=found.outputs)


def read_ports(job: ReadPortsJob) -> Ports:
    """Opens a file and returns what it takes and gives.

    Raises:
        UsageError: it cannot be loaded, or does not take single RGB images.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_takes_image(session)
    return Ports(session.inputs[0], outputs_of_file(session.outputs))


def _named(usage: Usage, ports: Ports) -> tuple[Output, ...]:
    """The outputs by the names that the contract of the file has for them, for a format may add to these."""
    stated = usage.contract.outputs if usage.contract else ()
    alike = [output.shape for output in stated] == [output.shape for output in ports.outputs]
    return stated if alike else ports.outputs


def _ports(asked: TwoFiles, file: Path, run: ChildRunner) -> Ports:
    job = ReadPortsJob(backend_of_file(file).name, file.absolute(), asked.threads, asked.precision)
    return run.run(f"read {file.name}", Task(read_ports, job, Ports))


def _run(asked: TwoFiles, file: Path, images: PreparedImages, rows: Path, run: ChildRunner) -> Path:
    job = InferenceJob(
        backend=backend_of_file(file).name,
        artifact=file.absolute(),
        images=images,
        threads=asked.threads,
        precision=asked.precision,
        logits=rows,
    )
    return run.run(f"evaluate {file.name}", Task(run_images, job, LogitsFile)).logits


def _check_alike(asked: TwoFiles, ports: Ports, others: Ports) -> None:
    """Refuses two files that are no forms of one model; names of outputs may differ, as formats have rules for them."""
    (height, width), (other_height, other_width) = image_size(ports.input), image_size(others.input)
    if (height, width) != (other_height, other_width):
        raise UsageError(
            f"{asked.artifact} takes images of {height} x {width} pixels, --reference {asked.reference}"
            f" {other_height} x {other_width}",
            "give the float file that it was made from",
        )
    if [output.shape for output in ports.outputs] != [output.shape for output in others.outputs]:
        raise UsageError(
            f"{asked.artifact} gives {outputs_line(ports.outputs)}, --reference {asked.reference}"
            f" {outputs_line(others.outputs)}",
            "give the float file that it was made from",
        )
