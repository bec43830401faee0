"""Measures TFLite files on a phone, with LiteRT's ``benchmark_model`` that the user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgevit.backends import backend_of_file
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.adb import Adb
from edgevit.measure.boards.benchmark_model import (
    PhoneJob,
    PhonePrecision,
    measure_rounds_on_phone,
    measurement_of,
    run_once,
)
from edgevit.measure.boards.delegation import Delegate, parse_delegate
from edgevit.measure.boards.elf import check_android_arm64
from edgevit.measure.boards.phone import PROGRAM_SUFFIX, Phone, use_phone
from edgevit.measure.boards.phone_state import PhoneFacts
from edgevit.results.comparison import Comparison, compare
from edgevit.results.measurement import Measurement
from edgevit.run.files import file_sha256
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec

_PROCESS_SECONDS = 180.0
"""Most time for the runs of one process, beyond what is asked for; a file that takes longer there is of no use."""


@dataclass(frozen=True)
class PhoneBench:
    """What was found on a phone: the measurement of one file, or several compared."""

    phone: PhoneFacts
    measurement: Measurement | None
    comparison: Comparison | None
    sha256: dict[str, str]
    """Of each artifact and of benchmark_model, by path."""

    @property
    def unstable(self) -> str:
        """Why the times are not to be relied on; "" if they are."""
        if self.measurement is not None:
            return self.measurement.conditions.unstable
        assert self.comparison is not None
        return "; ".join(f"{file.artifact}: {file.latency.unstable}" for file in self.comparison.unstable)


@dataclass(frozen=True)
class AskedPhone:
    """A phone, and how to measure on it, as the command line says it."""

    serial: str
    """As ``adb devices`` lists it."""
    program: Path | None
    """LiteRT's ``benchmark_model`` for 64-bit Android; None where it was not given."""
    delegate: str = "cpu"
    """See :func:`edgevit.measure.boards.delegation.parse_delegate`."""
    precision: str = "fastest"
    """"f32" or "fastest"; what it means for a delegate says :mod:`edgevit.measure.boards.benchmark_model`."""

    @property
    def address(self) -> str:
        """As ``--on`` takes it."""
        return f"adb:{self.serial}"


def bench_on_phone(
    asked: AskedPhone, artifacts: Sequence[Path], settings: MeasureSpec, progress: Progress
) -> PhoneBench:
    """Measures artifact files on a phone that is connected by adb.

    Args:
        asked: The phone, and how.
        artifacts: TFLite files; several are compared with the first.
        settings: Threads, and how long to measure one file.
        progress: Progress callback.

    Raises:
        UsageError: a file is not what it has to be, the phone cannot be used, or a measurement failed; the message tells why.
    """
    wanted = _checked(asked, artifacts)
    try:
        with use_phone(Adb(asked.serial)) as phone:
            return _measure(phone, artifacts, wanted, settings, progress)
    except CandidateFailed as error:
        raise UsageError(f"{asked.address}: {error.message}", error.hint) from error


@dataclass(frozen=True)
class _Wanted:
    program: Path
    delegate: Delegate
    precision: PhonePrecision


def _checked(asked: AskedPhone, artifacts: Sequence[Path]) -> _Wanted:
    if asked.program is None:
        raise UsageError(
            "a phone needs LiteRT's benchmark_model",
            "give it with --benchmark-model: android_aarch64_benchmark_model of LiteRT's nightly builds"
            " (ai.google.dev/edge/litert/models/measurement)",
        )
    if asked.precision not in ("f32", "fastest"):
        raise UsageError(f"--precision {asked.precision} is not for phones", "f32 or fastest")
    for artifact in artifacts:
        backend = backend_of_file(artifact)
        if backend.format != "tflite":
            raise UsageError(
                f"{artifact} is for {backend.title}; phones run .tflite files here", "export it with --export tflite"
            )
    check_android_arm64(asked.program, "--benchmark-model")
    delegate = parse_delegate(asked.delegate)
    if delegate.library and Path(delegate.library).is_file():
        check_android_arm64(Path(delegate.library), "the vendor's library")
    return _Wanted(asked.program, delegate, "f32" if asked.precision == "f32" else "fastest")


def _measure(
    phone: Phone, artifacts: Sequence[Path], wanted: _Wanted, settings: MeasureSpec, progress: Progress
) -> PhoneBench:
    stage = f"measure on {phone.name}"
    progress.stage(stage, 0, 1, "send files")
    digest = file_sha256(wanted.program)
    job = PhoneJob(
        program=phone.send(wanted.program, PROGRAM_SUFFIX),
        program_version=f"sha256 {digest[:12]}",
        threads=settings.threads,
        delegate=_with_library(phone, wanted.delegate),
        precision=wanted.precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
        timeout_seconds=_PROCESS_SECONDS,
    )
    graphs = {str(artifact): phone.send(artifact, ".tflite") for artifact in artifacts}
    rounds = measure_rounds_on_phone(phone, job, graphs, partial(progress.stage, stage))
    digests = {str(path): file_sha256(path) for path in artifacts} | {str(wanted.program): digest}
    if len(artifacts) > 1:
        timed = [(artifact, rounds[str(artifact)].latency) for artifact in artifacts]
        note = "; ".join(dict.fromkeys(each.delegation for each in rounds.values()))
        return PhoneBench(phone.facts, None, compare(timed, settings.threads, f"{settings.threads}, {note}"), digests)
    (name,) = graphs
    memory = run_once(phone, job, graphs[name], len(rounds[name].outputs), watch_memory=True)
    return PhoneBench(phone.facts, measurement_of(phone, job, rounds[name], memory), None, digests)


def _with_library(phone: Phone, delegate: Delegate) -> Delegate:
    """Sends a vendor's library of this machine; one of the phone stays where it is."""
    if not delegate.library:
        return delegate
    here = Path(delegate.library)
    if here.is_file():
        return replace(delegate, library=phone.send(here, ".so"))
    if delegate.library.startswith("/"):
        return delegate
    raise UsageError(
        f"no file {delegate.library} here",
        "give the path of the vendor's library, of this machine or, from / on, of the phone",
    )
