"""Measures artifact files on this host or a board, in child processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edgevit.backends import backend_of_file
from edgevit.backends.onnxruntime.providers import asked_provider
from edgevit.commands.file_errors import blaming_file
from edgevit.errors import UsageError
from edgevit.measure.bench import BenchJob, bench
from edgevit.measure.host import check_threads, threads_note
from edgevit.measure.machine import Machine
from edgevit.measure.op_times import OpTimesJob, time_ops
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.measure.sustained import SustainedJob, SustainedLatency, run_sustained
from edgevit.results.comparison import Comparison, compare
from edgevit.results.document import to_document
from edgevit.results.measurement import Measurement
from edgevit.results.op_times import OpTimes
from edgevit.run.executor import Executor
from edgevit.run.files import file_sha256
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec


def measure_file(
    machine: Machine,
    artifact: Path,
    precision: str,
    settings: MeasureSpec,
    batch: int | None,
    progress: Progress,
) -> Measurement:
    """Measures latency and memory of an artifact file.

    Args:
        machine: Where.
        artifact: The file; it need not be edgevit's.
        precision: "f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`.
        settings: Threads, how long to measure, and the time limit.
        batch: Images of one run; when None, what the file fixes, or 1 where it leaves it open.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it, or it does not take that batch, or the runtime crashed or
            ran out of time.
    """
    there = machine.send(artifact)
    job = BenchJob(
        backend=backend_of_file(artifact).name,
        artifact=there,
        threads=settings.threads,
        precision=precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
        batch=batch,
    )
    seconds = settings.timeout_seconds + settings.min_seconds
    with child_runner(progress, seconds, machine.start) as children, blaming_file(artifact, there):
        found = children.run(f"measure {artifact.name}", Task(bench, job, Measurement, timing=True))
    return replace(found, device=machine.name)


def compare_files(
    machine: Machine,
    artifacts: Sequence[Path],
    precision: str,
    settings: MeasureSpec,
    batch: int | None,
    progress: Progress,
) -> Comparison:
    """Times artifact files alternately and ranks them, see :mod:`edgevit.measure.rounds`.

    Args:
        machine: Where.
        artifacts: Files of any backends, the first being the one that the others are compared with.
        precision: As for :func:`measure_file`.
        settings: Threads, and the time limit of one burst.
        batch: As for :func:`measure_file`.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it, or it does not take that batch, or a runtime crashed or ran
            out of time.
    """
    places = [machine.send(artifact) for artifact in artifacts]
    entries = [
        RoundEntry(str(place), backend_of_file(artifact).name, there, precision)
        for place, (artifact, there) in enumerate(zip(artifacts, places, strict=True))
    ]
    stage = f"compare {len(entries)} files"
    rounds_settings = RoundSettings(settings.threads, rounds_for(len(entries)), batch=batch, at_once=machine.at_once)
    with (
        child_runner(progress, settings.timeout_seconds) as children,
        Executor(
            machine.at_once, children.timeout_seconds, children.log, start=None if machine.is_here else machine.start
        ) as executor,
    ):
        progress.stage(stage, 0, 1)
        rounds = measure_rounds(
            entries,
            rounds_settings,
            partial(executor.run_in_turn, log=children.log),
            partial(progress.stage, stage),
        )
        for place, reason in rounds.failures.items():
            raise UsageError(
                f"{artifacts[int(place)]}: {reason}", "leave this file out, or try `edgevit bench` on it alone"
            )
    timed = [(artifact, rounds.latencies[str(place)]) for place, artifact in enumerate(artifacts)]
    return compare(timed, settings.threads, threads_note(settings.threads, settings.threads, machine.host.cores))


def machine_document(machine: Machine, artifacts: Sequence[Path], threads: int) -> dict[str, Any]:
    """Returns what tells later what was measured where: the machine as "host", and the "sha256" of each artifact.

    Args:
        machine: Where.
        artifacts: That were measured.
        threads: That they ran with.
    """
    digests = {str(each): file_sha256(*backend_of_file(each).files_of(each)) for each in artifacts}
    provider = {} if asked_provider() == "cpu" or not machine.is_here else {"onnxruntime_provider": asked_provider()}
    return {"host": to_document(replace(machine.host, threads=threads)), "sha256": digests, **provider}


def sustain_file(
    machine: Machine, artifact: Path, precision: str, settings: MeasureSpec, seconds: float, progress: Progress
) -> SustainedLatency:
    """Runs an artifact file for long, see :mod:`edgevit.measure.sustained`.

    Args:
        machine: Where.
        artifact: The file.
        precision: As for :func:`measure_file`.
        settings: Threads, and the time limit beyond ``seconds``.
        seconds: How long.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it, or the runtime crashed or ran out of time.
    """
    there = machine.send(artifact)
    job = SustainedJob(backend_of_file(artifact).name, there, precision, settings.threads, seconds)
    with (
        child_runner(progress, settings.timeout_seconds + seconds, machine.start) as children,
        blaming_file(artifact, there),
    ):
        return children.run(f"run {artifact.name}", Task(run_sustained, job, SustainedLatency, timing=True))


def profile_file(artifact: Path, precision: str, settings: MeasureSpec, progress: Progress) -> OpTimes:
    """Measures the time of each op of an artifact file, see :mod:`edgevit.measure.op_times`.

    Args:
        artifact: The file.
        precision: As for :func:`measure_file`.
        settings: Threads, and the time limit.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it, or its runtime has no profiler as it is installed, or it
            crashed or ran out of time.
    """
    check_threads(settings.threads)
    job = OpTimesJob(backend_of_file(artifact).name, artifact.absolute(), settings.threads, precision)
    with child_runner(progress, settings.timeout_seconds) as children, blaming_file(artifact):
        return children.run(f"profile {artifact.name}", Task(time_ops, job, OpTimes, timing=True))
