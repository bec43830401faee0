"""Measures latency and memory of an artifact in a child process, after a warm-up; raw samples are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends import Session, get_backend
from edgevit.errors import UsageError
from edgevit.measure.conditions import activity_since, disturbances, not_judged, read_counters
from edgevit.measure.emulation import emulation
from edgevit.measure.energy import Counters, EnergyCount, NotMeasured, PowerRail, energy_of_runs, find_energy_source
from edgevit.measure.host import governor, threads_note
from edgevit.measure.machine_changes import machine_conditions
from edgevit.measure.machine_state import cpu_name, read_state
from edgevit.measure.machine_watch import watching
from edgevit.measure.resident_memory import peak_resident_bytes, reset_peak, resident_bytes
from edgevit.measure.sysfs import ROOT
from edgevit.results.machine_state import Energy, MachineSpan
from edgevit.results.measurement import HOST, Conditions, LatencyMs, Measurement
from edgevit.run.child_process import report_progress

WARMUP_RUNS = 10
WARMUP_SECONDS = 0.3
POWER_SECONDS = 2.0
"""Of runs beside the timed ones, where a power sensor tells their energy."""
_POWER_RUNS = 3
_REPORT_EVERY_S = 0.5


@dataclass(frozen=True)
class BenchJob:
    """An artifact to measure."""

    backend: str
    artifact: Path
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    min_runs: int
    min_seconds: float
    batch: int | None = None
    """Images of one run; when None, what the file fixes, or 1 where it leaves it open."""


@dataclass(frozen=True)
class Timing:
    """Raw times of repeated calls, in ms."""

    first_run_ms: float
    warmup_runs: int
    samples_ms: tuple[float, ...]


def bench(job: BenchJob) -> Measurement:
    """Measures load time, first run and latency in ms, and resident memory in bytes, of an artifact on this host.

    The runtime is imported before the clock starts and the memory baseline is taken, so that neither includes it.

    Raises:
        UsageError: the runtime cannot load or run the file.
    """
    return bench_session(job)[0]


def bench_session(job: BenchJob) -> tuple[Measurement, Session]:
    """Measures as :func:`bench` does; also returns the session, to go on with."""
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before, source = read_state(), find_energy_source(ROOT)
    emulated = emulation()
    backend = get_backend(job.backend)
    backend.import_runtime()
    empty_bytes = resident_bytes()
    reset_peak()
    begin = time.perf_counter_ns()
    session = backend.open_session(job.artifact, job.threads, job.precision, job.batch)
    load_ms = (time.perf_counter_ns() - begin) / 1e6
    call = noise_call(session)
    first_run_ms, warmup_runs = warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)
    count = EnergyCount(source) if isinstance(source, Counters) else None
    with watching(session.threads, energy=count) as watch:
        begin_runs = read_counters()
        samples_ms = time_runs(call, job.min_runs, job.min_seconds, between=watch.look_if_due)
        activity = activity_since(begin_runs)
    span = MachineSpan(before, watch.found(), read_state())
    peak_bytes = peak_resident_bytes()
    energy, energy_unknown = _energy(source, count, call, len(samples_ms))
    machine = machine_conditions(cpu_name(), span, activity.other_cores, energy, energy_unknown)
    cores = os.cpu_count() or 1
    measurement = Measurement(
        device=HOST,
        latency_ms=summarize(samples_ms),
        samples_ms=samples_ms,
        load_ms=load_ms,
        first_run_ms=first_run_ms,
        peak_rss_bytes=peak_bytes,
        rss_delta_bytes=max(0, peak_bytes - empty_bytes),
        threads=session.threads,
        energy_mj=energy.mj_per_run if energy else None,
        conditions=Conditions(
            runtime=backend.title,
            runtime_version=session.runtime_version,
            precision=session.precision,
            delegate=session.delegate,
            warmup_runs=warmup_runs,
            runs=len(samples_ms),
            batch=batch_of(session),
            governor=governor(),
            load_average=load_average,
            unstable="; ".join(map(str, (*disturbances(activity, session.threads, cores, None), *machine.throttled))),
            not_judged=not_judged(activity, span.after.unknown),
            note=threads_note(job.threads, session.threads, cores),
            machine=machine,
            emulated=emulated,
        ),
    )
    return measurement, session


def _energy(
    source: Counters | PowerRail | NotMeasured, count: EnergyCount | None, call: Callable[[], object], runs: int
) -> tuple[Energy | None, str]:
    """Energy of the timed runs by counters, or of a few more by a power sensor; or why it is not known.

    Args:
        source: What tells energy here.
        count: The counters, read around the timed runs.
        call: One run.
        runs: That were timed.
    """
    if isinstance(source, NotMeasured):
        return None, source.reason
    if isinstance(source, PowerRail):
        found = energy_of_runs(source, call, POWER_SECONDS, _POWER_RUNS)
    else:
        found = count.energy(runs) if count else None
    return found, "" if found else f"{source.name} did not count anything"


def time_calls(call: Callable[[], object], min_runs: int, min_seconds: float) -> Timing:
    """Calls a function until both minima are reached.

    Args:
        call: Function to time.
        min_runs: Least number of timed calls.
        min_seconds: Least total duration of the timed calls, in seconds.

    Returns:
        Each timed call in ms; the first call and the warm-up (10 calls or 0.3 s, whichever ends later) are separate.
    """
    first_run_ms, warmup_runs = warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)
    return Timing(first_run_ms, warmup_runs, time_runs(call, min_runs, min_seconds))


def warm_up(call: Callable[[], object], min_runs: int, min_seconds: float) -> tuple[float, int]:
    """Calls a function until both minima are reached, not counting the first call.

    Args:
        call: Function to warm up.
        min_runs: Least number of calls after the first.
        min_seconds: Their least total duration, in seconds.

    Returns:
        The first call in ms, and the number of calls after it.
    """
    first_run_ms = milliseconds(call)
    runs, begin = 0, time.perf_counter()
    while runs < min_runs or time.perf_counter() - begin < min_seconds:
        call()
        runs += 1
    return first_run_ms, runs


def milliseconds(call: Callable[[], object]) -> float:
    """Returns the duration of a call in ms."""
    begin = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - begin) / 1e6


def time_runs(
    call: Callable[[], object],
    min_runs: int,
    min_seconds: float,
    timed: Callable[[Callable[[], object]], float] = milliseconds,
    between: Callable[[], None] = lambda: None,
) -> tuple[float, ...]:
    """Times each call of a function in ms until both minima are reached.

    Args:
        call: Function to time.
        min_runs: Least number of calls.
        min_seconds: Their least total duration, in seconds.
        timed: Calls a function and returns how long it took in ms.
        between: Called after each run, outside its time.
    """
    samples: list[float] = []
    begin = reported = time.perf_counter()
    while len(samples) < min_runs or time.perf_counter() - begin < min_seconds:
        samples.append(timed(call))
        between()
        if time.perf_counter() - reported > _REPORT_EVERY_S:
            reported = time.perf_counter()
            by_time = (reported - begin) / min_seconds if min_seconds else 1.0
            report_progress(int(100 * min(1.0, by_time, len(samples) / min_runs)), 100)
    return tuple(samples)


def summarize(samples_ms: tuple[float, ...]) -> LatencyMs:
    """Returns minimum and percentiles (linear interpolation) of at least one latency in ms."""
    p50, p90, p99 = np.percentile(samples_ms, (50, 90, 99))
    return LatencyMs(min(samples_ms), float(p50), float(p90), float(p99))


def batch_of(session: Session) -> int:
    """Returns how many images one run of a session takes: the first axis of its first input."""
    shape = session.inputs[0].shape if session.inputs else ()
    return shape[0] if shape else 1


def noise_call(session: Session) -> Callable[[], object]:
    """Returns a function that runs a session on the same noise each time."""
    feeds = noise_feeds(np.random.default_rng(0), session)
    return lambda: session.run(feeds)


def noise_feeds(generator: np.random.Generator, session: Session) -> tuple[np.ndarray, ...]:
    """Returns noise of the shapes and dtypes of a session's inputs; latency does not depend on the values.

    Raises:
        UsageError: an input is neither of floats nor of integers or truth values.
    """
    return tuple(_noise(generator, spec.shape, spec.dtype) for spec in session.inputs)


def _noise(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        low, high = max(limits.min, -128), min(limits.max, 255)
        return generator.integers(low, high, shape, dtype=kind, endpoint=True)
    if kind.kind == "b":
        return generator.integers(0, 1, shape, endpoint=True).astype(kind)
    if kind.kind != "f":
        raise UsageError(f"an input is {dtype}, of which edgevit can make no values", "export it with a float32 input")
    return generator.standard_normal(shape).astype(kind)
