"""Scores a compressed file beside its float parent on corrupted images, and on images of other domains, in child processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.artifacts.accuracy import Answers, accuracy_of, agreement, read_answers
from edgevit.artifacts.feed import check_classifier, class_count, preprocessing_for, run_once
from edgevit.artifacts.tiled import reduce_images
from edgevit.artifacts.usage import RecordedFile, Usage, candidate_of_file, usage_of
from edgevit.backends import Backend, backend_of_file, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.commands.record import record
from edgevit.data.corruptions import CORRUPTIONS, LEVELS, corrupt
from edgevit.data.images import ImageSet, Samples, open_images, open_samples
from edgevit.data.in_order import map_in_order
from edgevit.data.output_labels import check_classes, match_labels
from edgevit.data.preprocess import fed_views
from edgevit.data.row_file import read_rows, write_rows
from edgevit.data.sampling import sample_images
from edgevit.errors import UsageError
from edgevit.measure.host import check_threads
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.results.file_score import FileScore
from edgevit.results.output import outputs_line
from edgevit.results.run import Run
from edgevit.results.shift import CorruptionScore, DomainScore, PairedScore, Severity, ShiftRecord, corruption_score
from edgevit.run.child_process import report_progress
from edgevit.run.files import file_sha256
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import PreprocessingOverrides


@dataclass(frozen=True)
class ShiftQuestion:
    """What is asked of a file."""

    artifact: Path
    sources: tuple[str, ...]
    """Of labelled images: the first are corrupted; further ones, of other domains, are taken as they are."""
    corruptions: tuple[str, ...]
    """Of ``edgevit.data.corruptions.CORRUPTIONS``; none for the images as they are alone."""
    seed: int
    """Of the noise, of the places, and of the choice among the images."""
    reference: Path | None
    """The float file; None for the float parent in the run that the file lies in."""
    preprocessing: PreprocessingOverrides
    class_offset: int | None
    samples: int | None
    threads: int
    precision: str
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class _Judged:
    """A file that takes part."""

    path: Path
    backend: Backend
    usage: Usage
    role: str = "file"
    """"file" or "float file", for progress: both may have one name."""


@dataclass(frozen=True)
class ScoreShiftedJob:
    """A file to run over labelled images and their corruptions."""

    backend: str
    artifact: Path
    samples: Samples
    preprocessing: Preprocessing
    """Its input size is replaced by the file's own."""
    class_offset: int | None
    classes: tuple[str, ...]
    threads: int
    precision: str
    corruptions: tuple[str, ...]
    seed: int
    logits: Path
    """Where to write float32 [n * variants, outputs], as .npy: for each image that as it is, then each corruption at each severity."""


@dataclass(frozen=True)
class ShiftedDone:
    """How many images a file was run over, and how many outputs it has."""

    images: int
    outputs: int


def score_under_shift(asked: ShiftQuestion, progress: Progress) -> tuple[FileScore, ...]:
    """Scores a file beside its float parent.

    Args:
        asked: The file, the images and the corruptions.
        progress: Progress callback.

    Returns:
        A score for each source, with what is lost against the float parent; the first has the record of all shifts.

    Raises:
        UsageError: there is no float parent, a file is no classifier of single images, the images cannot be read, have no
            labels or are arrays, or a runtime crashed.
    """
    check_threads(asked.threads)
    judged = _judged(asked.artifact, asked.preprocessing)
    reference, name = _reference(asked)
    sets = [_labelled(source, asked) for source in asked.sources]
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress, asked.timeout_seconds) as run:
        answers = [
            [
                _answers(asked, file, images, asked.corruptions if number == 0 else (), Path(folder), run)
                for file in (judged, reference)
            ]
            for number, images in enumerate(sets)
        ]
    notes = tuple(dict.fromkeys((*judged.usage.notes, *reference.usage.notes)))
    scores = [_file_score(images, found[0], found[1], notes) for images, found in zip(sets, answers, strict=True)]
    own, others = answers[0]
    found = ShiftRecord(
        source=asked.sources[0],
        reference=name,
        reference_sha256=file_sha256(*reference.backend.files_of(reference.path)),
        seed=asked.seed,
        clean=_paired(own[0], others[0]),
        corruptions=tuple(_corruption_scores(asked.corruptions, own[1:], others[1:])),
        domains=tuple(
            DomainScore(source, _paired(mine[0], theirs[0]))
            for source, (mine, theirs) in zip(asked.sources[1:], answers[1:], strict=True)
        ),
    )
    return (replace(scores[0], shift=found), *scores[1:])


@dataclass(frozen=True)
class SideBySide:
    """What two files answer to the same images."""

    ids: tuple[str, ...]
    own: Answers
    reference: Answers


def answers_side_by_side(asked: ShiftQuestion, progress: Progress) -> SideBySide:
    """Runs a file and its reference over the first images of a question, as they are; see :func:`score_under_shift`.

    Raises:
        UsageError: see :func:`score_under_shift`.
    """
    check_threads(asked.threads)
    files = (_judged(asked.artifact, asked.preprocessing), _reference(asked)[0])
    images = _labelled(asked.sources[0], asked)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress, asked.timeout_seconds) as run:
        own, reference = (_answers(asked, file, images, (), Path(folder), run)[0] for file in files)
    return SideBySide(images.ids, own, reference)


def record_shift(artifact: Path, shift: ShiftRecord) -> Path:
    """Stores what was found out about a file in its run, in place of what it had; see :func:`edgevit.commands.record.record`.

    Returns:
        The ``run.json``.
    """
    return record(artifact, lambda candidate: replace(candidate, shift=shift))


def float_parent(run: Run, candidate: Candidate) -> Candidate | None:
    """Returns the dense float candidate that a candidate was made from, over any between; None for that itself."""
    by_id = {each.id: each for each in run.candidates}
    parent = None
    for _ in run.candidates:  # a chain of parents is no longer than that
        if candidate.parent is None or candidate.parent not in by_id:
            break
        parent = candidate = by_id[candidate.parent]
    return parent


def score_shifted(job: ScoreShiftedJob) -> ShiftedDone:
    """Runs a file over images and their corruptions and writes its logits.

    Raises:
        UsageError: the file is not a classifier of single images, it is not sure which of its outputs a label means, or
            an image cannot be read or is an array.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_classifier(session)
    images, contract = open_samples(job.samples), preprocessing_for(session.inputs[0], job.preprocessing)
    match_labels(images, class_count(session), job.class_offset, job.classes)
    variants = [(name, level) for name in job.corruptions for level in LEVELS]

    def prepared(image_id: str) -> list[list[np.ndarray]]:
        image = images.picture(image_id, contract)
        if not isinstance(image, Image.Image):
            raise UsageError(
                f"{images.source} has arrays, and corruptions are of 8-bit images in RGB or grey",
                "give a source of images, or --corruptions none",
            )
        corrupted = (corrupt(image, name, level, job.seed, image_id) for name, level in variants)
        return [list(fed_views(each, contract)) for each in (image, *corrupted)]

    def clean(image_id: str) -> list[list[np.ndarray]]:
        return [list(fed_views(images.picture(image_id, contract), contract))]

    def logits(several: list[np.ndarray]) -> Iterator[np.ndarray]:
        return reduce_images((run_once(session, view) for view in several), (len(several),), contract.tiles)

    def rows() -> Iterator[np.ndarray]:
        for done, pictures in enumerate(map_in_order(prepared if variants else clean, images.ids), 1):
            yield np.concatenate([row for several in pictures for row in logits(several)])
            report_progress(done, len(images))

    write_rows(job.logits, len(images) * (1 + len(variants)), rows())
    return ShiftedDone(len(images), class_count(session))


def _judged(path: Path, overrides: PreprocessingOverrides) -> _Judged:
    usage = usage_of(path, overrides)
    if usage.contract and usage.contract.outputs:
        raise UsageError(
            f"{path} is no classifier: it gives {outputs_line(usage.contract.outputs)}, and loss under shift is one of top-1",
            "leave out --corruptions",
        )
    return _Judged(path, backend_of_file(path), usage)


def _reference(asked: ShiftQuestion) -> tuple[_Judged, str]:
    """The float file, and what it is called."""
    if asked.reference is not None:
        if asked.reference.resolve() == asked.artifact.resolve():
            raise UsageError(
                f"--reference {asked.reference} is the file itself", "give the float file it was made from"
            )
        return replace(_judged(asked.reference, asked.preprocessing), role="float file"), str(asked.reference)
    found: RecordedFile | None = candidate_of_file(asked.artifact)
    if found is None:
        raise UsageError(
            f"{asked.artifact} is not a file of a run as the run made it, so its float parent is not known",
            "give --reference FLOAT_FILE",
        )
    parent = float_parent(found.run, found.candidate)
    if parent is None or parent.artifact is None:
        raise UsageError(
            f"{asked.artifact} has no float parent in its run: it is {found.candidate.id}",
            "give --reference FILE to compare it with, or name a compressed file",
        )
    path = found.folder / parent.artifact.path
    if not path.is_file():
        raise UsageError(f"the float parent {parent.id} is not there: {path}", "restore it, or give --reference FILE")
    return replace(_judged(path, asked.preprocessing), role="float file"), parent.id


def _labelled(source: str, asked: ShiftQuestion) -> ImageSet:
    images = open_images(source)
    if images.targets is None:
        raise UsageError(f"{source} has no labels", "a folder of class sub-folders, or one with labels.csv")
    check_classes(images)
    return images if asked.samples is None else sample_images(images, asked.samples, asked.seed, "evaluation")


def _answers(
    asked: ShiftQuestion, file: _Judged, images: ImageSet, corruptions: tuple[str, ...], folder: Path, run: ChildRunner
) -> list[Answers]:
    """What a file answers to the images as they are, then to each corruption at each severity."""
    job = ScoreShiftedJob(
        backend=file.backend.name,
        artifact=file.path.absolute(),
        samples=images.samples,
        preprocessing=file.usage.preprocessing,
        class_offset=asked.class_offset,
        classes=file.usage.classes,
        threads=asked.threads,
        precision=asked.precision,
        corruptions=corruptions,
        seed=asked.seed,
        logits=Path(tempfile.mkdtemp(dir=folder), "logits.npy"),
    )
    with blaming_file(file.path):
        done = run.run(
            f"evaluate {file.role} {file.path.name} on {images.source}", Task(score_shifted, job, ShiftedDone)
        )
    labels = match_labels(images, done.outputs, asked.class_offset, file.usage.classes).labels
    rows = read_rows(job.logits)
    variants = len(rows) // len(images)
    return [read_answers(rows[variant::variants], labels) for variant in range(variants)]


def _file_score(
    images: ImageSet, own: Sequence[Answers], others: Sequence[Answers], notes: tuple[str, ...]
) -> FileScore:
    accuracy = replace(accuracy_of(own[0], others[0]), agreement=agreement(own[0], others[0]))
    return FileScore(accuracy, images.classes.index if images.classes else {}, (*notes, *images.notes))


def _paired(own: Answers, reference: Answers) -> PairedScore:
    found, before = accuracy_of(own, reference), accuracy_of(reference, None)
    assert found.top1 is not None  # there are labels
    assert before.top1 is not None
    assert found.drop_points is not None
    assert found.drop_interval is not None
    return PairedScore(found.samples, found.top1, before.top1, found.drop_points, found.drop_interval)


def _corruption_scores(
    names: Sequence[str], own: Sequence[Answers], others: Sequence[Answers]
) -> Iterator[CorruptionScore]:
    for place, name in enumerate(names):
        severities = []
        for level in LEVELS:
            variant = place * len(LEVELS) + level - 1
            score = _paired(own[variant], others[variant])
            severities.append(Severity(level, CORRUPTIONS[name].parameter(level), score))
        yield corruption_score(name, severities)
