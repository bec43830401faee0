"""Times the networks of a calibration in one runtime, each beside a reference network; needs NumPy and that runtime."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from edgevit.backends import get_backend
from edgevit.devices.calibration.features import graph_features
from edgevit.devices.calibration.network import Network
from edgevit.devices.calibration.networks import networks, reference
from edgevit.devices.calibration.numbers import Numbers, numbers_of
from edgevit.errors import UsageError
from edgevit.measure.bench import noise_call, time_runs, warm_up
from edgevit.measure.conditions import Disturbance, activity_since, disturbances, read_counters
from edgevit.measure.core_wait import timer_without_waits
from edgevit.run.child_process import report_progress

HostRuntime = Literal["litert", "onnxruntime", "openvino"]
"""Runtimes that networks can be written for."""
PASSES = 2
"""How often all networks are timed, as far as the time allows: a file that is loaded again lies elsewhere in memory."""
ROUNDS = 5
"""In each, the reference and the network are timed one after the other."""
REFERENCE_SECONDS, NETWORK_SECONDS = 0.01, 0.03
"""Of a burst, at least."""
LEAST_RUNS = 3
"""Of a burst."""
WARMUP_RUNS, WARMUP_SECONDS = 2, 0.02
MOST_BUSY = 1 / 3
"""Share of the networks that something may disturb while they are timed."""


@dataclass(frozen=True)
class TimingJob:
    """A runtime to time."""

    runtime: HostRuntime
    threads: int
    folder: Path
    """For files of networks, one at a time; made where it is not there. Whoever asks removes it, also where this process is
    killed."""
    seconds: float
    """Networks that do not fit into this time are left out, the least telling ones first."""


@dataclass(frozen=True)
class NetworkTime:
    """Time of one network, and what it does."""

    name: str
    """Of the network, without what it multiplies in."""
    numbers: Numbers
    relative: float
    """Its time as a multiple of that of the reference network in the same rounds: median of the rounds, and of the passes."""
    features: Mapping[str, float]
    """See :func:`edgevit.devices.calibration.features.graph_features`."""


@dataclass(frozen=True)
class RuntimeTimes:
    """What was found in a runtime."""

    runtime_version: str
    reference_ms: float
    """Of the reference network: median of all rounds."""
    drift: float
    """Width of the middle half of its times, as a share of that median."""
    networks: tuple[NetworkTime, ...]
    busy: str
    """What disturbed more than ``MOST_BUSY`` of the networks, such as "other processes used 0.9 cores"; "" if nothing did."""


def time_runtime(job: TimingJob) -> RuntimeTimes:
    """Times as many networks as the time allows.

    Raises:
        UsageError: the runtime cannot load or run a network, or what writes its networks is not installed.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + job.seconds
    backend = get_backend(job.runtime)
    write = _writer(job.runtime)
    plan = [(network, numbers) for network in networks() for numbers in numbers_of(network, job.runtime)]
    features: dict[tuple[str, Numbers], Mapping[str, float]] = {}
    relative: dict[tuple[str, Numbers], list[float]] = defaultdict(list)
    disturbed: list[tuple[Disturbance, ...]] = []
    path = job.folder / f"reference{backend.suffix}"
    write(reference(), "float", path)
    session = backend.open_session(path, job.threads, "f32")
    reference_call = noise_call(session)
    warm_up(reference_call, WARMUP_RUNS, 10 * WARMUP_SECONDS)
    reference_ms = list(time_runs(reference_call, LEAST_RUNS, REFERENCE_SECONDS))
    for done, (network, numbers) in enumerate(PASSES * plan):
        if time.monotonic() > end:
            break
        report_progress(done, PASSES * len(plan))
        path = (
            job.folder / f"{network.name}.{numbers}{backend.suffix}"
        )  # not one name for all: a runtime may map the file
        write(network, numbers, path)
        call = noise_call(backend.open_session(path, job.threads, "f32" if numbers == "float" else "fastest"))
        begin = read_counters()
        rounds = _rounds(reference_call, call, job.threads)
        disturbed.append(disturbances(activity_since(begin), job.threads, os.cpu_count() or 1, None))
        reference_ms += [first for first, _ in rounds]
        key = (network.name, numbers)
        relative[key].append(median(second / first for first, second in rounds))
        if key not in features:
            features[key] = graph_features(backend.read_graph(path))
        for file in backend.files_of(path):
            with contextlib.suppress(PermissionError):  # of Windows, for a file that is mapped
                file.unlink()
    found = [NetworkTime(*key, median(times), features[key]) for key, times in relative.items()]
    report_progress(PASSES * len(plan), PASSES * len(plan))
    low, middle, high = np.percentile(reference_ms, (25, 50, 75))
    return RuntimeTimes(
        session.runtime_version, float(middle), float((high - low) / middle), tuple(found), _busy(disturbed)
    )


@dataclass(frozen=True)
class FileTimeJob:
    """A file to time beside the reference network."""

    runtime: HostRuntime
    file: Path
    precision: str
    """See :meth:`edgevit.backends.Backend.open_session`."""
    threads: int
    folder: Path
    """For the file of the reference network."""


@dataclass(frozen=True)
class FileTime:
    """Time of a file."""

    relative: tuple[float, ...]
    """As multiples of the reference network's in the same round, of each round."""
    ms: float
    """Median of the rounds."""


def time_file(job: FileTimeJob) -> FileTime:
    """Times a file as the networks of a calibration are, so that what was predicted of it can be checked.

    Raises:
        UsageError: the runtime cannot load or run it.
    """
    backend = get_backend(job.runtime)
    path = job.folder / f"reference{backend.suffix}"
    _writer(job.runtime)(reference(), "float", path)
    reference_call = noise_call(backend.open_session(path, job.threads, "f32"))
    call = noise_call(backend.open_session(job.file, job.threads, job.precision))
    warm_up(reference_call, WARMUP_RUNS, 10 * WARMUP_SECONDS)
    rounds = _rounds(reference_call, call, job.threads)
    return FileTime(tuple(second / first for first, second in rounds), median(second for _, second in rounds))


def _writer(runtime: HostRuntime) -> Callable[[Network, Numbers, Path], None]:
    """Imports what writes networks for a runtime; the others need not be installed."""
    try:
        return _import_writer(runtime)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"networks for {runtime} are written by the package {error.name}, which is not installed",
            f"pip install {error.name}, or name the runtimes to calibrate: --runtimes tflite",
        ) from error


def _import_writer(runtime: HostRuntime) -> Callable[[Network, Numbers, Path], None]:
    if runtime == "litert":
        from edgevit.devices.calibration.write_tflite import write_tflite

        return write_tflite
    if runtime == "onnxruntime":
        from edgevit.devices.calibration.write_onnx import write_onnx

        return write_onnx
    from edgevit.devices.calibration.write_openvino import write_openvino

    return write_openvino


def _rounds(
    reference_call: Callable[[], object], call: Callable[[], object], threads: int
) -> list[tuple[float, float]]:
    """Times the reference and the network in turn; gives the median of each burst in ms."""
    warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)

    def bursts(timed: Callable[[Callable[[], object]], float]) -> Iterator[tuple[float, float]]:
        for _ in range(ROUNDS):
            times = []
            for each, seconds in ((reference_call, REFERENCE_SECONDS), (call, NETWORK_SECONDS)):
                each()  # finds the caches cold
                times.append(median(time_runs(each, LEAST_RUNS, seconds, timed)))
            yield times[0], times[1]

    with timer_without_waits(threads) as timed:
        return list(bursts(timed))


def _busy(disturbed: list[tuple[Disturbance, ...]]) -> str:
    kinds = Counter(each.kind for found in disturbed for each in found)
    often = [kind for kind, count in kinds.items() if count > MOST_BUSY * len(disturbed)]
    values = {kind: [each.value for found in disturbed for each in found if each.kind == kind] for kind in often}
    return "; ".join(str(Disturbance(kind, median(values[kind]))) for kind in often)
