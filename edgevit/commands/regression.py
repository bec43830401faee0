"""Tests on this machine whether a new artifact file is slower than an old one by more than is allowed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from edgevit.backends import Backend, backend_of_file
from edgevit.errors import CandidateFailed, UsageError
from edgevit.gate.confidence_sequence import ERROR_RATE, EVERYTHING, LEAST_VALUES, narrowed
from edgevit.gate.regression import RESOLUTION, Decision, change, decide
from edgevit.measure.blocks import Alternately, Block, BlockSettings, Contender, measure_block, preload, quick_ms
from edgevit.measure.conditions import contention
from edgevit.measure.emulation import emulation, refuse_emulated
from edgevit.measure.host import check_threads, threads_note
from edgevit.measure.turns import Turns
from edgevit.results.artifact import TensorSpec
from edgevit.results.measurement import Interval
from edgevit.results.regression import ComparedFile, Regression, RegressionLimits, RegressionOutcome
from edgevit.run.executor import Executor
from edgevit.run.files import file_sha256
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner

_STAGE = "compare with the baseline"
_OUTCOMES: dict[Decision, RegressionOutcome] = {
    "within the limits": "pass",
    "too slow": "fail",
    "suspiciously fast": "fail",
    "not known yet": "inconclusive",
}


@dataclass(frozen=True)
class RegressionRequest:
    """What to compare, and by which limits."""

    new: Path
    old: Path
    limits: RegressionLimits
    most_seconds: float
    """After which no further block begins; above 0."""
    threads: int = 1
    precision: str = "fastest"
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    timeout_seconds: float = 600.0
    """For one block."""


def measure_regression(request: RegressionRequest, progress: Progress) -> Regression:
    """Compares two artifact files in blocks until it is known whether the new one is within the limits, or time is up.

    Args:
        request: What to compare.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it, or the two have different outputs, or a runtime crashed or ran
            out of time.
    """
    check_threads(request.threads)
    refuse_emulated(emulation(), "judged")
    files = (request.new, request.old)
    backends = [backend_of_file(file) for file in files]
    digests = [file_sha256(file) for file in files]
    new, old = (
        Contender(backend.name, file.absolute(), request.precision)
        for backend, file in zip(backends, files, strict=True)
    )
    begin = time.monotonic()
    with _processes(request, backends, progress) as run:
        blocks, decision, interval = _compare(new, old, request, run, progress)
    compared = [
        _compared(file, backend, digest, turns)
        for file, backend, digest, turns in zip(
            files, backends, digests, ([block.new for block in blocks], [block.old for block in blocks]), strict=True
        )
    ]
    ratios = tuple(block.log_ratio for block in blocks)
    return Regression(
        new=compared[0],
        old=compared[1],
        limits=request.limits,
        outcome=_OUTCOMES[decision],
        reason=_reason(decision, interval, request.limits, len(blocks)),
        log_ratios=ratios,
        block_seconds=tuple(block.seconds for block in blocks),
        ratio=math.exp(median(ratios)),
        low=_end(interval.low),
        high=_end(interval.high),
        error_rate=ERROR_RATE,
        seconds=time.monotonic() - begin,
        threads=request.threads,
        contention=contention([block.disturbances(request.threads) for block in blocks], "blocks"),
        notes=tuple(_notes(request, compared[0], compared[1])),
    )


@contextmanager
def _processes(request: RegressionRequest, backends: Sequence[Backend], progress: Progress) -> Iterator[Alternately]:
    """Gives what carries out the tasks of a block."""
    with (
        child_runner(progress, request.timeout_seconds) as children,
        Executor(len(backends), children.timeout_seconds, children.log) as executor,
    ):
        executor.warm_up(sorted({preload(backend.name) for backend in backends}))
        yield partial(executor.run_alternately, log=children.log)


def _compare(
    new: Contender, old: Contender, request: RegressionRequest, run: Alternately, progress: Progress
) -> tuple[list[Block], Decision, Interval]:
    random, settings = Random(os.urandom(16)), BlockSettings(request.threads)
    end = time.monotonic() + request.most_seconds
    blocks: list[Block] = []
    interval = EVERYTHING
    decision: Decision = "not known yet"
    progress.stage(_STAGE, 0, 1)
    while decision == "not known yet" and (not blocks or time.monotonic() + blocks[-1].seconds <= end):
        with _blaming(request):
            block = measure_block(new, old, settings, random, run)
        if not blocks:
            _check_outputs(request, block)
        blocks.append(block)
        interval = narrowed(interval, [each.log_ratio for each in blocks])
        decision = decide(interval, request.limits)
        left = max(0.0, end - time.monotonic()) / request.most_seconds
        progress.stage(_STAGE, round(100 * (1 - left)), 100, _so_far(interval, len(blocks)))
    progress.stage(_STAGE, 100, 100)
    return blocks, decision, interval


def _check_outputs(request: RegressionRequest, block: Block) -> None:
    """Refuses files that do not compute the same kind of thing."""
    new, old = (_shapes(turns.outputs) for turns in (block.new, block.old))
    if sorted(new) != sorted(old):
        raise UsageError(
            f"{request.new} and {request.old} have different outputs: {_text(new)}, and {_text(old)}",
            "give two files of one task and one batch; `edgevit bench` times any files",
        )


def _compared(file: Path, backend: Backend, digest: str, found: Sequence[Turns]) -> ComparedFile:
    first = found[0]
    return ComparedFile(
        path=file,
        sha256=digest,
        size_bytes=file.stat().st_size,
        runtime=backend.title,
        precision=first.precision,
        delegate=first.delegate,
        inputs=_shapes(first.inputs),
        latency_ms=median(map(quick_ms, found)),
    )


def _notes(request: RegressionRequest, new: ComparedFile, old: ComparedFile) -> Iterator[str]:
    if new.sha256 == old.sha256 and _same_files(request):
        yield f"both are the same file (sha256 {new.sha256[:12]}…): what differs is noise"
    if new.runtime != old.runtime:
        yield f"different runtimes: the new file runs in {new.runtime}, the old one in {old.runtime}"
    elif new.delegate != old.delegate:
        yield f"different delegates: {new.delegate} for the new file, {old.delegate} for the old one"
    if new.precision != old.precision:
        yield f"different precisions: {new.precision} for the new file, {old.precision} for the old one"
    if sorted(map(sorted, new.inputs)) != sorted(map(sorted, old.inputs)):
        yield f"different inputs: {_text(new.inputs)} of the new file, {_text(old.inputs)} of the old one"
    note = threads_note(request.threads, request.threads, os.cpu_count() or 1)
    if note:
        yield note


def _same_files(request: RegressionRequest) -> bool:
    """Whether all files of both are the same, not only the main ones, which are."""
    if request.new.samefile(request.old):
        return True
    digests = {file_sha256(*backend_of_file(file).files_of(file)) for file in (request.new, request.old)}
    return len(digests) == 1


def _reason(decision: Decision, interval: Interval, limits: RegressionLimits, blocks: int) -> str:
    slower, faster = f"{100 * limits.max_regression:g} %", f"{100 * limits.max_speed_up:g} %"
    match decision:
        case "within the limits" if limits.max_regression < RESOLUTION:
            return f"no slow-down of {100 * RESOLUTION:g} % or more, which is what can be told from none"
        case "within the limits":
            return f"at most {slower} slower, and at most {faster} faster"
        case "too slow":
            return f"more than {slower} slower"
        case "suspiciously fast":
            return f"more than {faster} faster: are layers gone? if this is meant, allow it by --max-speed-up"
    if interval.low > interval.high:
        return "the ratios of the blocks contradict each other: the machine changed while it measured"
    if blocks < LEAST_VALUES:
        return f"time was up after {blocks} block{'s'[: blocks != 1]}, and {LEAST_VALUES} are the least that tell anything: give more --minutes"
    return f"time was up before it was known whether it is more than {slower} slower"


def _so_far(interval: Interval, blocks: int) -> str:
    if math.isinf(interval.low) or math.isinf(interval.high):
        return f"block {blocks}"
    return f"block {blocks}: {change(math.exp(interval.low))} to {change(math.exp(interval.high))}"


def _end(logarithm: float) -> float | None:
    return None if math.isinf(logarithm) else math.exp(logarithm)


def _shapes(specs: Sequence[TensorSpec]) -> tuple[tuple[int, ...], ...]:
    return tuple(spec.shape for spec in specs)


def _text(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(" × ".join(map(str, shape)) or "a number" for shape in shapes)


@contextmanager
def _blaming(request: RegressionRequest) -> Iterator[None]:
    """Turns the failure of a process into a usage error that says which files were compared."""
    try:
        yield
    except CandidateFailed as error:
        raise UsageError(
            error.message, error.hint or f"try `edgevit bench` on {request.new} and {request.old} alone"
        ) from error
