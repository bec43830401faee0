"""Runs files over images on a board: this machine decodes, resizes and crops, and scores what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgevit import units
from edgevit.artifacts.feed import check_classifier, class_count, has_one_row, preprocessing_for
from edgevit.artifacts.ports import Ports, ReadPortsJob, read_ports
from edgevit.artifacts.run_rows import Rows, RunRowsJob, run_rows
from edgevit.artifacts.tiled import reduce_images
from edgevit.backends import backend_of_file
from edgevit.commands.file_errors import naming_file
from edgevit.commands.score_file import ImagesDone, ScoreFileJob
from edgevit.data.array_form import check_form
from edgevit.data.images import Samples, open_samples
from edgevit.data.output_labels import match_labels
from edgevit.data.pixel_files import PackImagesJob, PixelFile, PixelFiles, pack_images
from edgevit.data.row_file import write_rows_as_they_come
from edgevit.errors import UsageError
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec
from edgevit.results.artifact import Preprocessing
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec

_MOST_FILE_BYTES = 32 << 20
"""Of one file of images, unless one image is larger: 222 RGB images of 224 x 224 pixels."""
_MOST_ANSWER_BYTES = 8 << 20
"""Of the outputs in one answer, unless those of one image are more: the board and this machine keep it in memory."""


@contextmanager
def evaluating_board(
    asked: BoardSpec, artifact: Path, threads: int, timeout_seconds: float | None, progress: Progress
) -> Iterator[Board]:
    """Connects to a board that a file can be evaluated on.

    Args:
        asked: Which.
        artifact: The file, of this machine.
        threads: That will be used there.
        timeout_seconds: For the look at it; that of a run when None.
        progress: Progress callback.

    Raises:
        UsageError: see :func:`edgevit.measure.boards.board.open_board`.
    """
    stage = f"connect to {asked.address}"
    seconds = MeasureSpec().timeout_seconds if timeout_seconds is None else timeout_seconds
    progress.stage(stage, 0, 1)
    with open_board(asked, [backend_of_file(artifact)], threads, seconds, progress.message) as board:
        progress.stage(stage, 1, 1)
        yield board


@dataclass(frozen=True)
class FileThere:
    """A file that lies on a board and was loaded there once."""

    artifact: Path
    """Of this machine, as the user named it."""
    there: Path
    ports: Ports
    threads: int
    """As they were asked for, like ``precision``."""
    precision: str


@dataclass(frozen=True)
class BoardRunner:
    """Runs files over images on a board."""

    board: Board
    _here: ChildRunner
    _there: ChildRunner

    def open(self, artifact: Path, threads: int, precision: str) -> FileThere:
        """Sends a file, and looks what it takes and gives.

        Args:
            artifact: The file, of this machine.
            threads: CPU threads there.
            precision: See :meth:`edgevit.backends.Backend.open_session`.

        Raises:
            UsageError: it cannot be sent or loaded, or does not take single images.
            CandidateFailed: the runtime there crashed.
        """
        there = self.board.send(artifact, self._sending(artifact.name))
        job = ReadPortsJob(backend_of_file(artifact).name, there, threads, precision)
        with naming_file(artifact, there):
            ports = self._there.run(f"read {artifact.name}", Task(read_ports, job, Ports))
        return FileThere(artifact, there, ports, threads, precision)

    def rows(self, file: FileThere, samples: Samples, wanted: Preprocessing, folder: Path) -> Iterator[np.ndarray]:
        """Runs a file over images.

        Args:
            file: It.
            samples: The images.
            wanted: Their preprocessing, with the input size of the file.
            folder: Gets the images as they are sent; exists.

        Yields:
            Outputs for some images, float32 [n, values], in the order of the images; logits of an image in tiles reduced.

        Raises:
            UsageError: images cannot be read or sent, the connection was lost, or images are in tiles and the outputs no classes.
            CandidateFailed: the runtime there crashed, or ran out of time.
        """
        task = Task(pack_images, PackImagesJob(samples, wanted, folder, _MOST_FILE_BYTES), PixelFiles)
        if wanted.tiles is not None and not has_one_row(file.ports):
            raise UsageError(
                f"{file.artifact} gives no classes, and maps of tiles are blended on this machine", "leave out --on"
            )
        packed = self._here.run("preprocess images", task)
        yield from reduce_images(self._rows_of_all(file, packed.files, wanted), packed.tile_counts, wanted.tiles)

    def _rows_of_all(self, file: FileThere, files: Sequence[PixelFile], wanted: Preprocessing) -> Iterator[np.ndarray]:
        places = self.board.send_files([each.path for each in files], "images", self._sending("images"))
        first = 0
        for each, place in zip(files, places, strict=True):
            yield from self._rows_of(file, each, place, wanted, f"images {first + 1} to {first + each.images}")
            first += each.images

    def _rows_of(
        self, file: FileThere, images: PixelFile, place: Path, wanted: Preprocessing, which: str
    ) -> Iterator[np.ndarray]:
        values = sum(output.size for output in file.ports.named)
        at_once = max(1, _MOST_ANSWER_BYTES // (4 * values))
        for start in range(0, images.images, at_once):
            job = RunRowsJob(
                backend=backend_of_file(file.artifact).name,
                artifact=file.there,
                pixels=place,
                sha256=images.sha256,
                start=start,
                stop=min(start + at_once, images.images),
                preprocessing=wanted,
                threads=file.threads,
                precision=file.precision,
            )
            with naming_file(file.artifact, file.there):
                yield self._there.run(f"evaluate {file.artifact.name}, {which}", Task(run_rows, job, Rows)).array()

    def _sending(self, what: str) -> partial[None]:
        return partial(_tell_sent, self._here.progress, what, self.board)


@contextmanager
def board_runner(
    board: Board | None, progress: Progress, timeout_seconds: float | None
) -> Iterator[BoardRunner | None]:
    """Gives what runs files on a board; None where there is no board.

    Args:
        board: Connected.
        progress: Progress callback.
        timeout_seconds: Without progress; that of a run when None.
    """
    if board is None:
        yield None
        return
    with (
        child_runner(progress, timeout_seconds) as here,
        child_runner(progress, timeout_seconds, board.start) as there,
    ):
        yield BoardRunner(board, here, there)


def score_file_on(runner: BoardRunner, job: ScoreFileJob, folder: Path) -> ImagesDone:
    """Runs a file over images on a board and writes its logits here, as :func:`edgevit.commands.score_file.score_file` does.

    Args:
        runner: Of the board.
        job: The file, of this machine.
        folder: Of one's own; gets the images as they are sent.

    Raises:
        UsageError: see there; or what :meth:`BoardRunner.rows` raises, as for ``CandidateFailed``.
    """
    file = runner.open(job.artifact, job.threads, job.precision)
    ports = file.ports
    check_classifier(ports)
    images = open_samples(job.samples)
    match_labels(images, class_count(ports), job.class_offset, job.classes)
    contract = preprocessing_for(ports.input, job.preprocessing)
    check_form(images.form, images.source, contract)
    write_rows_as_they_come(job.logits, len(images), runner.rows(file, job.samples, contract, folder))
    return ImagesDone(
        images=len(images),
        preprocessing=contract,
        runtime_version=ports.runtime_version,
        delegate=ports.delegate,
        precision=ports.precision,
        threads=ports.threads,
    )


def _tell_sent(progress: Progress, what: str, board: Board, done: int, total: int) -> None:
    if done == 0:
        progress.message(f"{board.address}: sending {what}, {units.size(total)}")
    progress.stage(f"send {what}", done, total)
