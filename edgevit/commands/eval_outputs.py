"""Scores a file by all its outputs, in child processes: beside another file on the same images, by masks, or by an own metric."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import (
    InferenceJob,
    LogitsFile,
    check_takes_image,
    image_size,
    preprocessing_for,
    run_images,
)
from edgevit.artifacts.metrics.judge import score_alone
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.artifacts.metrics.segmentation import class_map
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.outputs import outputs_of_file, split_rows
from edgevit.artifacts.usage import Usage
from edgevit.backends import backend_of_file, get_backend
from edgevit.data.images import ImageSet
from edgevit.data.masks import open_masks
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.candidate import Accuracy, OutputDifference
from edgevit.results.file_score import FileScore
from edgevit.results.output import Output, outputs_line
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task


@dataclass(frozen=True)
class OutputsQuestion:
    """What is asked of a file."""

    artifact: Path
    usage: Usage
    """Of ``artifact``: another file gets the same pixels."""
    images: ImageSet
    metric: Metric
    threads: int
    precision: str
    timeout_seconds: float | None
    reference: Path | None = None
    """File to compare with, mostly the float one that it was made from."""
    masks: Path | None = None
    """Folder of masks, in place of the labels of the images."""


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


def score_outputs(asked: OutputsQuestion, progress: Progress) -> FileScore:
    """Runs a file over images, and another one where there is one, and takes the metric of the outputs.

    Args:
        asked: The files, the images and the metric.
        progress: Progress callback.

    Returns:
        The value of the metric; with another file also each output's differences.

    Raises:
        UsageError: a file does not take single images, two take images of other sizes or give other outputs, masks cannot be read,
            or the metric cannot be taken of what there is.
        CandidateFailed: a runtime crashed, or ran out of time.
        CheckFailed: the file gave NaN or infinity.
    """
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress, asked.timeout_seconds) as run:
        ports = _ports(asked, asked.artifact, run)
        if asked.reference:
            _check_alike(asked, ports, _ports(asked, asked.reference, run))
        named, wanted = _named(asked.usage, ports), preprocessing_for(ports.input, asked.usage.preprocessing)
        labels = _labels(asked, named, wanted)
        prepare = PrepareImagesJob(asked.images.samples, wanted, Path(folder, "images.npy"))
        images = run.run("preprocess images", Task(prepare_images, prepare, PreparedImages))
        rows = reference = read_rows(_run(asked, asked.artifact, images, Path(folder, "rows.npy"), run))
        differences: tuple[OutputDifference, ...] = ()
        if asked.reference:
            reference = read_rows(_run(asked, asked.reference, images, Path(folder, "reference.npy"), run))
            differences = compare_outputs(rows, reference, asked.reference.name, None, named).outputs
        predictions = Predictions(split_rows(rows, named), split_rows(reference, named), labels)
        metric = score_alone(asked.metric, predictions, intervals=False)
    accuracy = Accuracy(None, None, len(images), None, metric=metric)
    return FileScore(accuracy, {}, asked.usage.notes, outputs=differences)


def _labels(asked: OutputsQuestion, outputs: tuple[Output, ...], wanted: Preprocessing) -> np.ndarray | None:
    """The masks, or what the images are labelled with, [n, ...]; None beside another file."""
    if asked.reference is not None:
        return None
    if asked.masks is None:
        return asked.images.targets
    shapes = {output.name: np.broadcast_to(np.float32(0), (1, *output.shape)) for output in outputs}
    _, classes, height, width = class_map(shapes).shape
    return open_masks(asked.images, asked.masks, wanted, (height, width), max(classes, 2))


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


def _ports(asked: OutputsQuestion, file: Path, run: ChildRunner) -> Ports:
    job = ReadPortsJob(backend_of_file(file).name, file.absolute(), asked.threads, asked.precision)
    return run.run(f"read {file.name}", Task(read_ports, job, Ports))


def _run(asked: OutputsQuestion, file: Path, images: PreparedImages, rows: Path, run: ChildRunner) -> Path:
    job = InferenceJob(
        backend=backend_of_file(file).name,
        artifact=file.absolute(),
        images=images,
        threads=asked.threads,
        precision=asked.precision,
        logits=rows,
    )
    return run.run(f"evaluate {file.name}", Task(run_images, job, LogitsFile)).logits


def _check_alike(asked: OutputsQuestion, ports: Ports, others: Ports) -> None:
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
