"""Measures one artifact file on this host, in a child process."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends import backend_of_file
from edgevit.measure.bench import BenchJob, bench
from edgevit.results.measurement import Measurement
from edgevit.run.child_process import Task
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.spec.spec import MeasureSpec


def measure_file(artifact: Path, precision: str, settings: MeasureSpec, progress: Progress) -> Measurement:
    """Measures latency and memory of an artifact file.

    Args:
        artifact: The file; it need not be edgevit's.
        precision: "f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`.
        settings: Threads, how long to measure, and the time limit.
        progress: Progress callback.

    Raises:
        UsageError: no such file, or no backend can run it.
        CandidateFailed: the runtime crashed, or ran out of time.
    """
    backend = backend_of_file(artifact)
    job = BenchJob(
        backend=backend.name,
        artifact=artifact.resolve(),
        threads=settings.threads,
        precision=precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    with child_runner(progress, settings.timeout_seconds + settings.min_seconds) as children:
        return children.run(f"measure {artifact.name}", Task(bench, job, Measurement))
