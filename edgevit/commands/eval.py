"""Scores one artifact file on labelled images, or against another file, in child processes; the files need not be edgevit's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.artifacts.accuracy import accuracy_of, read_answers
from edgevit.artifacts.metrics.built_in import find_asked_metric
from edgevit.artifacts.metrics.classification import AGREEMENT
from edgevit.artifacts.metrics.fidelity import COSINE, SNR
from edgevit.artifacts.metrics.judge import score_alone
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.artifacts.plausibility import chance_warning
from edgevit.artifacts.tiled import check_metric_of_tiles
from edgevit.artifacts.usage import Usage, usage_of
from edgevit.backends import backend_of_file
from edgevit.commands.eval_on import board_runner, score_file_on
from edgevit.commands.eval_outputs import OutputsQuestion, score_outputs
from edgevit.commands.eval_save import save_outputs
from edgevit.commands.score_file import ImagesDone, ScoreFileJob, score_file
from edgevit.data.images import ImageSet, Samples, open_images, open_samples
from edgevit.data.output_labels import check_classes, match_labels
from edgevit.data.row_file import read_written_rows
from edgevit.data.sampling import sample_images
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.board import Board
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.results.file_score import ComputedOn, FileScore
from edgevit.results.output import outputs_line
from edgevit.run.packages import is_installed
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import PreprocessingOverrides

_SEED = 0
"""Of the choice among the images."""


@dataclass(frozen=True)
class FileEvaluation:
    """What is asked of a file."""

    artifact: Path
    data: str
    """Source of images, labelled unless there is a reference."""
    preprocessing: PreprocessingOverrides
    """What the user gave; the input size is not among it, for it is the file's own."""
    class_offset: int | None
    """Output of class 0; None where nobody said it."""
    samples: int | None
    """Images to score it on; all when None."""
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    timeout_seconds: float | None = None
    """Without progress; that of a run when None."""
    metric: str | None = None
    """To score by besides top-1: "multilabel", or "package.module:function" of the user's own."""
    reference: Path | None = None
    """File whose outputs its outputs are compared with, in place of labels."""
    masks: Path | None = None
    """Folder of masks, in place of labels."""
    save_outputs: Path | None = None
    """Where to write the outputs for each image, see :mod:`edgevit.artifacts.result_set`; labels are not needed then."""


def evaluate_file(asked: FileEvaluation, progress: Progress, board: Board | None = None) -> FileScore:
    """Scores a file on labelled images, or by its outputs beside those of another file.

    Args:
        asked: The file, the images, and how they are fed to it.
        progress: Progress callback.
        board: Where the file is run, connected; None for this machine. Images are decoded, and outputs scored, here.

    Returns:
        The score; where the runtime crashed or stood still, that of the images done so far.

    Raises:
        UsageError: the metric cannot be taken, no backend reads the file, images cannot be read (all are named) or have no labels, it is not sure
            which output a label means, the file is not a classifier of single images, or nobody states its mean or
            standard deviation.
        CandidateFailed: the runtime crashed, or ran out of time, at the first image.
    """
    usage, metric = check_evaluation(asked)
    if board is None or asked.reference is not None:
        check_threads(asked.threads)
    computed_on = None if board is None else ComputedOn(board.name, board.host, board.emulated)
    if (usage.contract and usage.contract.outputs) or asked.reference is not None or asked.masks is not None:
        return replace(score_outputs(_question(asked, usage, metric), progress, board), computed_on=computed_on)
    chosen = choose_samples(asked.data, asked.samples, _SEED)
    images = _labelled(chosen) if asked.save_outputs is None or metric is not None else open_samples(chosen)
    if metric is None:
        check_classes(images)
    with (
        tempfile.TemporaryDirectory(prefix="edgevit-") as folder,
        child_runner(progress, asked.timeout_seconds) as run,
        board_runner(board, progress, asked.timeout_seconds) as runner,
    ):
        job = ScoreFileJob(
            backend=backend_of_file(asked.artifact).name,
            artifact=asked.artifact.absolute(),
            samples=images.samples,
            preprocessing=usage.preprocessing,
            class_offset=asked.class_offset,
            classes=usage.classes,
            threads=asked.threads,
            precision=asked.precision,
            logits=Path(folder, "logits.npy"),
        )
        stopped, saved = None, None
        try:
            if runner is not None:
                done = score_file_on(runner, job, Path(folder))
            else:
                done = run.run(f"evaluate {asked.artifact.name}", Task(score_file, job, ImagesDone))
        except CandidateFailed as error:
            if read_written_rows(job.logits) is None:
                raise
            stopped = error.message
        else:
            if asked.save_outputs is not None:
                host = host_fingerprint(done.threads) if board is None else board.host
                saved = save_outputs(asked.save_outputs, images, job, done, host)
        score = _score(images, job, metric, stopped)
        notes = (*usage.notes, *score.notes)
        return replace(score, notes=notes, saved_outputs=saved, computed_on=computed_on)


def check_evaluation(asked: FileEvaluation) -> tuple[Usage, Metric | None]:
    """Checks what can be known before a runtime is started, or a board is asked.

    Returns:
        How the file is used, and the metric that is asked for.

    Raises:
        UsageError: see :func:`evaluate_file`.
    """
    metric = None if asked.metric is None else open_file_metric(asked.metric, beside=asked.reference is not None)
    usage = usage_of(asked.artifact, asked.preprocessing)
    if asked.metric is not None and usage.preprocessing.tiles is not None:
        check_metric_of_tiles(asked.metric, usage.preprocessing.tiles)
    named = usage.contract.outputs if usage.contract else ()
    if named and metric is None and asked.reference is None and asked.masks is None:
        raise UsageError(
            f"{asked.artifact} is no classifier: it gives {outputs_line(named)}, which labels say nothing of",
            "give --reference FLOAT_FILE, the float file that it was made from, --masks DIR for a map of classes, or --metric"
            " package.module:function of your own",
        )
    if asked.save_outputs is not None and (named or asked.reference is not None or asked.masks is not None):
        raise UsageError(
            "--save-outputs keeps the logits of a classifier",
            "leave it out; --reference FILE compares all outputs with another file's",
        )
    return usage, metric


_OF_TWO = (AGREEMENT, COSINE, SNR)
"""What compares a file with another model's outputs."""


def open_file_metric(name: str, *, beside: bool) -> Metric:
    """Finds a metric to score a file by, which compares with labels, or with the outputs of another file.

    Args:
        name: As ``--metric`` has it.
        beside: Whether there is another file.

    Raises:
        UsageError: there is none of that name, or it compares with what is not there.
    """
    metric = find_asked_metric(name)
    if metric in _OF_TWO and not beside:
        raise UsageError(
            f"{name} compares with the float model, and here is a file alone",
            "give --reference FLOAT_FILE, leave --metric out for top-1, or compare in a run: edgevit compress … --metric"
            f" {name}",
        )
    if metric not in _OF_TWO and beside:
        raise UsageError(
            f"{name} compares with labels, and --reference with the outputs of another file",
            f"leave out one of them; with --reference there are {', '.join(each.name for each in _OF_TWO)}",
        )
    return metric


def _question(asked: FileEvaluation, usage: Usage, metric: Metric | None) -> OutputsQuestion:
    """What is asked of a file that is judged by all its outputs.

    Raises:
        UsageError: what is given beside the images does not fit together.
    """
    if asked.reference is not None:
        backend_of_file(asked.reference)
        if asked.masks is not None:
            raise UsageError("--reference and --masks are given", "leave out one: compare with a file, or with masks")
    if asked.class_offset is not None:
        raise UsageError("--class-offset has no effect where outputs are no classes", "leave it out")
    if metric is MIOU and asked.masks is None:
        raise UsageError("--metric miou compares with masks", "give --masks DIR, a .png for each image by its stem")
    images = open_samples(choose_samples(asked.data, asked.samples, _SEED))
    return OutputsQuestion(
        artifact=asked.artifact,
        usage=usage,
        images=images,
        metric=metric or (COSINE if asked.masks is None else MIOU),
        threads=asked.threads,
        precision=asked.precision,
        timeout_seconds=asked.timeout_seconds,
        reference=asked.reference,
        masks=asked.masks,
    )


def _labelled(samples: Samples) -> ImageSet:
    images = open_samples(samples)
    if images.targets is None:
        raise UsageError(f"{images.source} has no labels", "a folder of class sub-folders, or one with labels.csv")
    return images


def _score(images: ImageSet, job: ScoreFileJob, metric: Metric | None, stopped: str | None) -> FileScore:
    rows = read_written_rows(job.logits)
    assert rows is not None
    matched = match_labels(images, rows.shape[1], job.class_offset, job.classes)
    answers = read_answers(rows, None if matched.labels is None else matched.labels[: len(rows)])
    notes, accuracy = list(images.notes), accuracy_of(answers, None)
    if metric is None:
        notes += filter(None, [chance_warning(answers)])
    else:
        assert matched.targets is not None
        predictions = Predictions({"logits": rows}, {}, matched.targets[: len(rows)])
        has_interval = is_installed("scipy")
        accuracy = replace(accuracy, metric=score_alone(metric, predictions, intervals=has_interval))
        notes += [] if has_interval else ["no interval: SciPy is not installed; pip install 'edgevit[compress]'"]
    return FileScore(
        accuracy,
        matched.classes.index if matched.classes else {},
        tuple(notes),
        None if stopped is None else f"{stopped}: only the first {len(rows)} of {len(images)} images are scored",
    )


def choose_samples(source: str, count: int | None, seed: int) -> Samples:
    """Chooses ``count`` images of a source by the seed; all when None.

    Raises:
        UsageError: see :func:`edgevit.data.sampling.sample_images`.
    """
    images = open_images(source)
    return (images if count is None else sample_images(images, count, seed, "evaluation")).samples
