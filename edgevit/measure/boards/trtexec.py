"""TensorRT on a Jetson: ``trtexec`` builds an engine from an ONNX file there and times it.

What is measured, and why so:

- Latency is what trtexec calls so: copying the input to the GPU, computing, copying the output back. A program that uses the
  engine pays all three, so data transfers stay on. The times of single runs come from ``--exportTimes``, from which the
  percentiles are computed as for every other runtime; the summary that trtexec prints is not needed for them.
- No CUDA graph and no spinning: neither ONNX Runtime's TensorRT provider nor a plain ``enqueueV3`` uses them unless asked.
- Engines are built anew: which kernels are chosen depends on clocks and version, so that an engine from elsewhere is another one.
- "int8" also allows float16, for layers without Q/DQ; the file alone says which layers are int8 (explicit quantization).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Literal, TypeAlias

from edgevit.errors import CandidateFailed
from edgevit.measure.bench import summarize
from edgevit.measure.boards.trtexec_failures import explain_failure, unsupported_precision
from edgevit.measure.boards.trtexec_output import RunTimes, TrtexecOutput, parse_output, parse_times
from edgevit.results.measurement import Conditions, Measurement

PROGRAM = "/usr/src/tensorrt/bin/trtexec"
"""Where JetPack puts it."""
TrtPrecision = Literal["fp32", "fp16", "int8"]
"""What TensorRT may compute in: float32 alone; float16 too; int8 where the file has Q/DQ, and float16."""
Run: TypeAlias = Callable[[Sequence[str], float], "CompletedProcess[str]"]
"""Runs a program on the board with a time limit in seconds; a missing program gives return code 127."""

_FLAGS: dict[TrtPrecision, tuple[str, ...]] = {"fp32": (), "fp16": ("--fp16",), "int8": ("--int8", "--fp16")}
_WARMUP_MS = 500


@dataclass(frozen=True)
class TrtexecJob:
    """An ONNX file to measure."""

    onnx: str
    """Path on the board."""
    precision: TrtPrecision
    folder: str
    """Folder on the board for what is written there and removed again."""
    min_runs: int
    min_seconds: float
    program: str = PROGRAM
    timeout_seconds: float = 1800.0
    """Of building and timing; building takes minutes on small boards."""


def command(job: TrtexecJob) -> tuple[str, ...]:
    """Returns the command line that builds an engine and times it; it holds for TensorRT 8.2 to 10."""
    return (
        job.program,
        f"--onnx={job.onnx}",
        *_FLAGS[job.precision],
        f"--iterations={job.min_runs}",
        f"--duration={max(1, round(job.min_seconds))}",
        f"--warmUp={_WARMUP_MS}",
        f"--exportTimes={_times_path(job)}",
    )


def measure(job: TrtexecJob, run: Run, device: str) -> Measurement:
    """Builds an engine on the board and measures it.

    Args:
        job: The file, and how long.
        run: Runs a program on the board.
        device: Name of the board.

    Raises:
        CandidateFailed: there is no trtexec, TensorRT refuses the file, or what it says cannot be read; the message tells
            the cause.
    """
    try:
        done = run(command(job), job.timeout_seconds)
        text = f"{done.stdout}\n{done.stderr}"
        found = parse_output(text)
        failure = unsupported_precision(text, job.precision)
        if failure is None and (done.returncode != 0 or not found.passed):
            failure = explain_failure(done.returncode, text)
        if failure is not None:
            raise CandidateFailed(failure.message, failure.hint)
        runs = _runs(job, run, found)
    finally:
        run(("rm", "-f", _times_path(job)), 30.0)
    return _measurement(job, found, runs, device)


def _runs(job: TrtexecJob, run: Run, found: TrtexecOutput) -> tuple[RunTimes, ...]:
    times = run(("cat", _times_path(job)), 60.0)
    if times.returncode != 0:
        raise CandidateFailed(
            f"trtexec wrote no times to {_times_path(job)}: {times.stderr.strip() or 'no reason given'}",
            "is the folder writable there?",
        )
    try:
        return parse_times(times.stdout, found.queries)
    except ValueError as error:
        raise CandidateFailed(
            f"the times that trtexec wrote cannot be read: {error}", "is TensorRT 8.2 or later on the board?"
        ) from error


def _measurement(job: TrtexecJob, found: TrtexecOutput, runs: tuple[RunTimes, ...], device: str) -> Measurement:
    samples_ms = tuple(each.latency_ms for each in runs)
    compute = summarize(tuple(each.compute_ms for each in runs))
    notes = [f"latency is copy in, compute (p50 {compute.p50:.3f} ms) and copy out"]
    if found.build_seconds is not None:
        notes.append(f"engine built on the board in {found.build_seconds:.0f} s")
    spread = found.variation_percent
    return Measurement(
        device=device,
        latency_ms=summarize(samples_ms),
        samples_ms=samples_ms,
        load_ms=None if found.load_seconds is None else 1000 * found.load_seconds,
        first_run_ms=None,
        peak_rss_bytes=None,
        rss_delta_bytes=None,
        threads=1,
        conditions=Conditions(
            runtime="TensorRT",
            runtime_version=found.version,
            precision="+".join(flag.removeprefix("--") for flag in _FLAGS[job.precision]) or "fp32",
            delegate=f"GPU {found.gpu}".strip(),
            warmup_runs=0,
            runs=len(samples_ms),
            batch=1,
            governor="",
            load_average=None,
            unstable="" if spread is None else f"GPU time varies by {spread:.1f} % from run to run (trtexec)",
            not_judged="other processes",
            note="; ".join(notes),
        ),
    )


def _times_path(job: TrtexecJob) -> str:
    return f"{job.folder}/trtexec-times.json"


def shown(job: TrtexecJob) -> str:
    """Returns the command line as one would type it on the board."""
    return shlex.join(command(job))
