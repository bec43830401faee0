"""Scores a file by all its outputs, in child processes: beside another file on the same images, by masks, or by an own metric."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.feed import image_size, preprocessing_for
from edgevit.artifacts.metrics.judge import score_alone
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.artifacts.metrics.segmentation import class_map
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.outputs import split_rows
from edgevit.artifacts.ports import Ports, ReadPortsJob, read_ports
from edgevit.artifacts.tiled import whole_image, whole_outputs
from edgevit.artifacts.usage import Usage
from edgevit.backends import backend_of_file
from edgevit.commands.eval_on import board_runner
from edgevit.data.images import ImageSet
from edgevit.data.masks import open_masks
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows, write_rows
from edgevit.errors import UsageError
from edgevit.measure.boards.board import Board
from edgevit.results.artifact import Preprocessing
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


def score_outputs(asked: OutputsQuestion, progress: Progress, board: Board | None = None) -> FileScore:
    """Runs a file over images, and another one where there is one, and takes the metric of the outputs.

    Args:
        asked: The files, the images and the metric.
        progress: Progress callback.
        board: Where the file is run, connected; None for this machine, which the other file is always run on.

    Returns:
        The value of the metric; with another file also each output's differences.

    Raises:
        UsageError: a file does not take single images, two take images of other sizes or give other outputs, masks cannot be read,
            or the metric cannot be taken of what there is.
        CandidateFailed: a runtime crashed, or ran out of time.
        CheckFailed: the file gave NaN or infinity.
    """
    with (
        tempfile.TemporaryDirectory(prefix="edgevit-") as folder,
        child_runner(progress, asked.timeout_seconds) as run,
        board_runner(board, progress, asked.timeout_seconds) as runner,
    ):
        file = None if runner is None else runner.open(asked.artifact, asked.threads, asked.precision)
        ports = _ports(asked, asked.artifact, run) if file is None else file.ports
        if asked.reference:
            _check_alike(asked, ports, _ports(asked, asked.reference, run))
        named, wanted = _named(asked.usage, ports), preprocessing_for(ports.input, asked.usage.preprocessing)
        images = PreparedImages(asked.images.samples, wanted)
        if runner is None or file is None:
            prepare = PrepareImagesJob(images.samples, wanted, Path(folder, "images.npy"), all_tiles=True)
            images = run.run("preprocess images", Task(prepare_images, prepare, PreparedImages))
        if images.sizes:
            named = whole_outputs(named, images.sizes[0], wanted.tiles)
            wanted = wanted if asked.reference else whole_image(images.sizes[0], wanted)
        labels = _labels(asked, named, wanted)
        if runner is None or file is None:
            rows = reference = read_rows(_run(asked, asked.artifact, images, Path(folder, "rows.npy"), run))
        else:
            write_rows(Path(folder, "rows.npy"), len(images), runner.rows(file, images.samples, wanted, Path(folder)))
            rows = reference = read_rows(Path(folder, "rows.npy"))
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


def _named(usage: Usage, ports: Ports) -> tuple[Output, ...]:
    """The outputs by the names that the contract of the file has for them, for a format may add to these."""
    stated = usage.contract.outputs if usage.contract else ()
    alike = [output.shape for output in stated] == [output.shape for output in ports.named]
    return stated if alike else ports.named


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
    if [output.shape for output in ports.named] != [output.shape for output in others.named]:
        raise UsageError(
            f"{asked.artifact} gives {outputs_line(ports.named)}, --reference {asked.reference}"
            f" {outputs_line(others.named)}",
            "give the float file that it was made from",
        )
