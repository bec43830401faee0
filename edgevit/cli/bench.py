"""``edgevit bench``: latency and memory of one artifact on this machine."""

from __future__ import annotations

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
    """Measure latency and memory of an artifact, in a child process.

    \b
    Example:
      edgevit bench model.tflite --threads 4
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.bench import measure_file
    from edgevit.results.document import to_document
    from edgevit.spec.spec import MeasureSpec

    options.check_choice("precision", precision, options.PRECISIONS)
    settings = MeasureSpec(threads=threads or 1, min_runs=min_runs, min_seconds=min_seconds)
    with terminal.make_progress() as progress:
        measurement = measure_file(artifact, precision, settings, progress)
    if as_json:
        terminal.print_json({"artifact": str(artifact), "measurement": to_document(measurement)})
    else:
        render.print_measurement(artifact, measurement)
