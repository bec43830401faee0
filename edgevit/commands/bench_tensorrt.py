"""Measures ONNX files with TensorRT, here or on a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.devices.op_support import not_symmetric
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.program import ProgramDone, ProgramJob, run_program
from edgevit.measure.boards.trtexec import PROGRAM, TrtexecJob, TrtPrecision, measure
from edgevit.measure.machine import Machine
from edgevit.results.measurement import Measurement
from edgevit.results.op_support import Fallback
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec

TENSORRT = "tensorrt"
"""Ends the name of the device in measurements, for the same machine may be measured with other runtimes too."""
_BUILD_SECONDS = 1800.0
"""Most time for building an engine; small boards take minutes."""
_SLACK_SECONDS = 30.0
"""That a child may take beyond the program that it runs."""


@dataclass(frozen=True)
class Numbers:
    """What is known of an ONNX file before TensorRT reads it."""

    refused: tuple[Fallback, ...]
    """What of its quantization TensorRT does not take, most frequent first."""
    int8: bool
    """Whether layers of it are in static int8."""


def bench_with_tensorrt(
    machine: Machine, artifact: Path, precision: str, settings: MeasureSpec, progress: Progress
) -> Measurement:
    """Builds a TensorRT engine from an ONNX file on a machine, and measures it.

    Args:
        machine: Where; it needs no runtime but TensorRT.
        artifact: The file, see :func:`check_for_tensorrt`.
        precision: "f32"; or "fastest": int8 and float16 where the file is quantized, else float16.
        settings: How long to measure.
        progress: Progress callback.

    Raises:
        UsageError: the file is none for TensorRT, or nothing could be measured; the message tells the cause.
    """
    with child_runner(progress, _BUILD_SECONDS + settings.min_seconds) as children, blaming_file(artifact):
        numbers = children.run(f"read {artifact.name}", Task(read_numbers, artifact.absolute(), Numbers))
    if numbers.refused:
        first = numbers.refused[0]
        raise UsageError(f"{artifact}: TensorRT does not take {first.text}", first.change)
    chosen: TrtPrecision = "fp32" if precision == "f32" else "int8" if numbers.int8 else "fp16"
    there = machine.send(artifact)
    seconds = _BUILD_SECONDS + settings.min_seconds + _SLACK_SECONDS
    with child_runner(progress, seconds, machine.start) as children:
        run = _Programs(children, artifact.name)
        try:
            folder = run.make_folder()
            try:
                job = TrtexecJob(
                    onnx=there.as_posix(),
                    program=PROGRAM,
                    precision=chosen,
                    folder=folder,
                    min_runs=settings.min_runs,
                    min_seconds=settings.min_seconds,
                    timeout_seconds=_BUILD_SECONDS + settings.min_seconds,
                )
                found = measure(job, run, f"{machine.name}/{TENSORRT}")
            finally:
                run(("rmdir", folder), _SLACK_SECONDS)
        except TimeoutExpired as error:
            raise UsageError(
                f"{artifact}: TensorRT did not end within {error.timeout:.0f} s",
                "take a smaller model, or a larger board",
            ) from error
        except CandidateFailed as error:
            raise UsageError(f"{artifact}: {error.message}", error.hint) from error
    return _with_machine(found, run.watched)


def _with_machine(found: Measurement, watched: ProgramDone | None) -> Measurement:
    if watched is None or watched.machine is None:
        return found
    unstable = "; ".join(filter(None, (found.conditions.unstable, *watched.machine.throttled)))
    conditions = replace(found.conditions, unstable=unstable, machine=watched.machine, emulated=watched.emulated)
    return replace(found, conditions=conditions)


def check_for_tensorrt(artifact: Path, precision: str) -> None:
    """Refuses what TensorRT does not read or compute in.

    Raises:
        UsageError: the file is not there or not ONNX, or the precision is "bf16".
    """
    backend = backend_of_file(artifact)
    if backend.format != "onnx":
        raise UsageError(
            f"{artifact} is for {backend.title}; TensorRT reads .onnx files", "export it with --export onnx"
        )
    if precision == "bf16":
        raise UsageError(
            "--precision bf16 is not for TensorRT here", "f32, or fastest: float16, with int8 where quantized"
        )


def read_numbers(artifact: Path) -> Numbers:
    """Reads of an ONNX file what decides how TensorRT takes it."""
    graph = get_backend("onnxruntime").read_graph(artifact)
    return Numbers(not_symmetric(graph), any(op.numerics == "int8_static" for op in graph.ops))


@dataclass
class _Programs:
    """Runs programs on the machine, each in a child there."""

    children: ChildRunner
    name: str
    watched: ProgramDone | None = None
    """The last program that was watched: the one that measures."""

    def __call__(self, words: Sequence[str], timeout_seconds: float) -> CompletedProcess[str]:
        job = ProgramJob(tuple(words), timeout_seconds, watched=words[0] == PROGRAM)
        done = self.children.run(f"measure {self.name}", Task(run_program, job, ProgramDone))
        self.watched = done if job.watched else self.watched
        if done.timed_out:
            raise TimeoutExpired(list(words), timeout_seconds, done.stdout, done.stderr)
        return CompletedProcess(list(words), done.returncode, done.stdout, done.stderr)

    def make_folder(self) -> str:
        """Makes a folder for what is written there."""
        made = self(("mktemp", "-d"), _SLACK_SECONDS)
        if made.returncode != 0:
            raise CandidateFailed(f"no folder can be made there: {made.stderr.strip()}", "is its disk full?")
        return made.stdout.strip()
