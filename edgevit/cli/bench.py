"""``edgevit bench``: latency and memory of one artifact on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def bench(
    artifact: options.ArtifactFile,
    threads: options.Threads = None,
    precision: options.Precision = "fastest",
    min_runs: Annotated[int, typer.Option(min=50, help="At least that many timed runs.")] = 50,
    min_seconds: Annotated[float, typer.Option(min=0, help="At least that many seconds of timed runs.")] = 2.0,
    as_json: options.Json = False,
) -> None:
    """Measure latency and memory of an artifact, in a process of its own.

    \b
    Example:
      edgevit bench model.tflite --threads 4
    """
    import tempfile

    from edgevit.backends import backend_of_file
    from edgevit.cli import render, terminal
    from edgevit.measure.bench import BenchJob
    from edgevit.measure.bench import bench as run_bench
    from edgevit.results.document import to_document
    from edgevit.run.child_process import isolated
    from edgevit.spec.spec import MeasureSpec

    backend = backend_of_file(artifact)
    options.check_choice("precision", precision, options.PRECISIONS)
    job = BenchJob(backend.name, artifact.resolve(), threads or 1, precision, min_runs, min_seconds)
    timeout = MeasureSpec().timeout_seconds + min_seconds
    with terminal.make_progress() as progress, tempfile.TemporaryDirectory() as folder:
        measurement = isolated(
            run_bench, job, timeout_seconds=timeout, log=Path(folder, "bench.log"),
            on_progress=lambda done, total: progress.stage(f"measure {artifact.name}", done, total),
        )  # fmt: skip
    if as_json:
        terminal.print_json({"artifact": str(artifact), "measurement": to_document(measurement)})
    else:
        render.print_measurement(artifact, measurement)
