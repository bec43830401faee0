"""Compares two artifacts, of runs or as files, and says which parts cannot be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgevit.artifacts.accuracy import Answers
from edgevit.commands.bench import compare_files
from edgevit.commands.compare_accuracy import (
    ImageAnswer,
    accuracy_change,
    read_stored_answers,
    why_not_the_same_images,
)
from edgevit.commands.compare_sides import PartRefused, Side, host_differences, open_side
from edgevit.commands.compare_values import amounts, ops_changed, settings_changed, shift_changed
from edgevit.commands.eval_shift import ShiftQuestion, answers_side_by_side
from edgevit.commands.inspect import inspect_file
from edgevit.errors import UsageError
from edgevit.measure.machine import this_machine
from edgevit.results.changes import AccuracyChange, Changes, LatencyChange, NotCompared, independent_ratio
from edgevit.results.statistics import paired_ratio
from edgevit.run.packages import is_installed
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides

Value = TypeVar("Value")


@dataclass(frozen=True)
class ComparisonQuestion:
    """What is compared, and what is taken anew for it."""

    before: Path
    """A run folder, its ``run.json``, or an artifact file."""
    after: Path
    candidate: str | None = None
    """Of each run, by rank or id; the chosen one when None."""
    other: str | None = None
    """Of the second run, in place of ``candidate``."""
    data: str | None = None
    """Labelled images to run both over; what the runs stored when None."""
    samples: int | None = None
    class_offset: int | None = None
    preprocessing: PreprocessingOverrides = field(default_factory=PreprocessingOverrides)
    measure: bool = False
    """Whether latency is measured now, alternately."""
    threads: int | None = None
    """For ``data`` and ``measure``; 1 when None."""


def compare_artifacts(asked: ComparisonQuestion, progress: Progress) -> Changes:
    """Compares two artifacts.

    Args:
        asked: The two, and what to take anew.
        progress: Progress callback.

    Raises:
        UsageError: one is no run and no artifact, there is no such candidate, both are the same, or what is asked to be
            taken anew cannot be.
    """
    before = open_side(asked.before, asked.candidate)
    after = open_side(asked.after, asked.other or asked.candidate)
    _check_two(before, after)
    refused: list[NotCompared] = []

    def part(name: str, make: Callable[[], Value]) -> Value | None:
        try:
            return make()
        except PartRefused as error:
            refused.append(NotCompared(name, str(error)))
            return None

    summaries = [inspect_file(side.file) if side.file else None for side in (before, after)]
    accuracy = part("accuracy", lambda: _accuracy(asked, before, after, progress))
    latency = part("latency", lambda: _latency(asked, before, after, progress))
    ops = part("ops", lambda: ops_changed(before, after, *summaries))
    settings = part("recipe, versions, calibration", lambda: settings_changed(before, after))
    shift = part("loss under shift", lambda: shift_changed(before, after))
    return Changes(
        before=before.compared,
        after=after.compared,
        accuracy=accuracy,
        latency=latency,
        amounts=amounts(before, after, *summaries),
        ops=ops or (),
        settings=settings or (),
        shift=shift or (),
        not_compared=tuple(refused),
        notes=tuple(_notes(before, after, accuracy, latency)),
    )


def _check_two(before: Side, after: Side) -> None:
    same_file = before.file and after.file and before.file.resolve() == after.file.resolve()
    same_candidate = (
        before.run and after.run and before.candidate == after.candidate and before.run.folder == after.run.folder
    )
    if same_file or same_candidate:
        what = before.candidate.id if before.candidate else before.given
        raise UsageError(
            f"{what} would be compared with itself",
            "name two files or runs, or two candidates: --candidate 1 --other 2",
        )


def _accuracy(asked: ComparisonQuestion, before: Side, after: Side, progress: Progress) -> AccuracyChange:
    if asked.data is not None:
        return _scored_now(asked, asked.data, before, after, progress)
    sides = (before, after)
    for side in sides:
        if side.run is None or side.candidate is None:
            raise PartRefused(f"{side.given} is a file of no run, and no images are given: add --data")
        if side.candidate.top1_file is None:
            raise PartRefused(f"the run of {side.compared.name} kept no answers to single images: add --data")
    sources = [side.source for side in sides]
    stored = []
    for side in sides:
        assert side.run
        assert side.run.folder
        assert side.candidate
        assert side.candidate.top1_file
        try:
            stored.append(read_stored_answers(side.run.folder, side.candidate.top1_file))
        except UsageError as error:
            raise PartRefused(error.message) from error
    why = why_not_the_same_images(*stored)
    if why:
        raise PartRefused(f"{why} ({' and '.join(sources)})")
    return accuracy_change(" and ".join(dict.fromkeys(sources)), *stored)


def _scored_now(asked: ComparisonQuestion, data: str, before: Side, after: Side, progress: Progress) -> AccuracyChange:
    for side in (before, after):
        _require_file(side, "--data")
    assert before.file
    assert after.file
    question = ShiftQuestion(
        artifact=after.file,
        sources=(data,),
        corruptions=(),
        seed=0,
        reference=before.file,
        preprocessing=asked.preprocessing,
        class_offset=asked.class_offset,
        samples=asked.samples,
        threads=asked.threads or 1,
        precision="f32",
    )
    found = answers_side_by_side(question, progress)

    def to_images(answers: Answers) -> tuple[ImageAnswer, ...]:
        labels: list[int | None] = [None] * len(found.ids) if answers.labels is None else answers.labels.tolist()
        return tuple(ImageAnswer(*each) for each in zip(found.ids, labels, answers.top1.tolist(), strict=True))

    return accuracy_change(data, to_images(found.reference), to_images(found.own))


def _require_file(side: Side, option: str) -> None:
    if side.file is None:
        path = side.artifact.path if side.artifact else ""
        raise UsageError(
            f"{option} needs the files of both, and {path} of {side.given} is not there",
            f"copy the artifacts of the run to their place, or leave out {option}",
        )


def _latency(asked: ComparisonQuestion, before: Side, after: Side, progress: Progress) -> LatencyChange:
    if asked.measure:
        return _measured_now(before, after, asked.threads or 1, progress)
    if before.run is None or after.run is None:
        raise PartRefused("a file of no run has no latency: add --measure")
    differing = host_differences(before.run, after.run)
    if differing:
        raise PartRefused(
            f"the runs are of different hosts: {'; '.join(differing)}; --measure measures both on this one"
        )
    assert before.candidate
    assert after.candidate
    one, other = before.candidate.latency, after.candidate.latency
    if one is None or other is None:
        missing = before if one is None else after
        raise PartRefused(
            f"{missing.compared.name} took no part in a final round, so it has no interval: add --measure"
        )
    together = before.run.folder == after.run.folder and one.batch == other.batch
    ratio = paired_ratio(one.bursts_ms, other.bursts_ms) if together else independent_ratio(one, other)
    return LatencyChange(
        before_ms=one.p50_ms,
        after_ms=other.p50_ms,
        speed_up=ratio.median,
        interval=ratio.interval,
        timed="same rounds" if together else "two runs",
        unstable="; ".join(filter(None, (one.unstable, other.unstable))),
    )


def _measured_now(before: Side, after: Side, threads: int, progress: Progress) -> LatencyChange:
    for side in (before, after):
        _require_file(side, "--measure")
    assert before.file
    assert after.file
    settings = MeasureSpec(threads=threads)
    found = compare_files(this_machine(threads), [before.file, after.file], "fastest", settings, None, progress)
    one, other = (next(each for each in found.files if each.artifact == side.file) for side in (before, after))
    unstable = "; ".join(filter(None, (one.latency.unstable, other.latency.unstable)))
    return LatencyChange(
        before_ms=one.latency.p50_ms,
        after_ms=other.latency.p50_ms,
        speed_up=other.speed_up,
        interval=other.speed_up_interval,
        timed="measured now",
        unstable=unstable,
    )


def _notes(before: Side, after: Side, accuracy: AccuracyChange | None, latency: LatencyChange | None) -> Iterator[str]:
    if before.model and after.model and before.model != after.model:
        yield f"the models differ: {before.model} and {after.model}"
    if latency and latency.timed == "two runs":
        yield (
            "latencies are of two runs at different times: a drift of the machine between them is not in the interval;"
            " --measure times both alternately now"
        )
    if latency and latency.unstable:
        yield f"latency is not to be relied on: {latency.unstable}"
    if accuracy and accuracy.top1_before is not None and not is_installed("scipy"):
        yield "no p-value: SciPy is not installed; pip install 'edgevit[compress]'"
