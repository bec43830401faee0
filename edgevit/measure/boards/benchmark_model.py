"""LiteRT's ``benchmark_model`` on a phone: artifacts timed alternately, in rounds, each in a process of its own.

No version of the program tells the times of single runs. So each file is run in several short processes, in an order that changes,
as everywhere else (:mod:`edgevit.measure.rounds`): a process gives one value, the median of its runs where the version tells it, else
their mean, and the interval is that of the median of these values. The 90th and 99th percentile are not told, and stay unknown.
Memory is read in one more process, for the thread that watches it disturbs the times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from edgevit.errors import CandidateFailed
from edgevit.measure.boards.benchmark_failures import explain_benchmark_failure
from edgevit.measure.boards.benchmark_output import BenchmarkOutput, RunStats, parse_benchmark
from edgevit.measure.boards.delegation import Delegate, judge_delegation
from edgevit.measure.boards.phone import Phone
from edgevit.measure.boards.phone_state import PhoneFacts, PhoneState, disturbance
from edgevit.measure.conditions import instability
from edgevit.measure.rounds import RoundSettings, round_groups, rounds_for
from edgevit.results.measurement import Conditions, LatencyMs, Measurement, RoundLatency
from edgevit.results.statistics import median_interval

PhonePrecision = Literal["f32", "fastest"]
_WARMUP_SECONDS = 0.5
_LEAST_SECONDS = 0.5
_LEAST_RUNS = 6
"""Of one process, as in :class:`edgevit.measure.rounds.RoundSettings`."""
_SLACK_SECONDS = 120.0
"""For loading the file and applying a delegate, which compiles for minutes where an NPU's does."""


@dataclass(frozen=True)
class PhoneJob:
    """How files are measured on a phone."""

    program: str
    """Path of ``benchmark_model`` there."""
    program_version: str
    """To name it by where it does not name itself, such as the first digits of its sha256."""
    threads: int
    delegate: Delegate
    precision: PhonePrecision
    min_runs: int
    """Of one file, in all its processes."""
    min_seconds: float
    """Of one file, in all its processes."""
    timeout_seconds: float
    """Of one process, beyond ``min_seconds``."""


def command(job: PhoneJob, graph: str, rounds: int, *, watch_memory: bool = False) -> tuple[str, ...]:
    """Returns the command line for one process.

    XNNPACK is asked for by name, so that every version uses it and says what it took; TensorFlow before 2.13 does neither by itself.

    Args:
        job: How to measure.
        graph: Path of the file on the phone.
        rounds: Processes that the runs are spread over.
        watch_memory: Whether to read the peak of memory.
    """
    runs = max(_LEAST_RUNS, math.ceil(job.min_runs / rounds))
    seconds = max(_LEAST_SECONDS, job.min_seconds / rounds)
    return (
        job.program,
        f"--graph={graph}",
        f"--num_threads={job.threads}",
        *_delegate_flags(job),
        f"--num_runs={runs}",
        f"--min_secs={seconds:g}",
        f"--max_secs={job.timeout_seconds:g}",
        "--warmup_runs=1",
        f"--warmup_min_secs={_WARMUP_SECONDS:g}",
        *(("--report_peak_memory_footprint=true",) if watch_memory else ()),
    )


def _delegate_flags(job: PhoneJob) -> tuple[str, ...]:
    fast = job.precision == "fastest"
    delegate = job.delegate
    precise = {
        "GPU": (f"--gpu_precision_loss_allowed={str(fast).lower()}",),
        "NNAPI": (f"--nnapi_allow_fp16={str(fast).lower()}",),
    }.get(delegate.provider, ())
    library = (f"--external_delegate_path={delegate.library}",) if delegate.library else ()
    extra = (f"--external_delegate_options={delegate.options}",) if delegate.options else ()
    return (*delegate.flags, *precise, *library, *extra)


def precision_of(job: PhoneJob) -> str:
    """Returns the precision that float ops are computed in, as far as it is asked for."""
    if job.delegate.provider == "EXTERNAL":
        return "as the vendor's delegate chooses"
    return "f16" if job.precision == "fastest" and job.delegate.provider in ("GPU", "NNAPI") else "f32"


@dataclass(frozen=True)
class PhoneRounds:
    """What came out for one file."""

    latency: RoundLatency
    outputs: tuple[BenchmarkOutput, ...]
    """Of each round."""
    delegation: str
    """What ran the graph."""
    before: PhoneState
    after: PhoneState


def measure_rounds_on_phone(
    phone: Phone,
    job: PhoneJob,
    graphs: Mapping[str, str],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, PhoneRounds]:
    """Times files alternately.

    Args:
        phone: To measure on.
        job: How.
        graphs: Paths on the phone, by names for people.
        on_progress: Gets the number of processes done, and of all.

    Raises:
        CandidateFailed: a file does not run there, or a delegate took nothing of it; the message names the file.
    """
    names = list(graphs)
    settings = RoundSettings(job.threads, rounds_for(len(names)))
    order = [place for groups in round_groups(len(names), settings) for group in groups for place in group]
    before, found = phone.state(), {name: list[BenchmarkOutput]() for name in names}
    for done, place in enumerate(order):
        name = names[place]
        try:
            found[name].append(run_once(phone, job, graphs[name], settings.rounds))
        except CandidateFailed as error:
            raise CandidateFailed(f"{name}: {error.message}", error.hint) from error
        on_progress(done + 1, len(order))
    after = phone.state()
    return {name: _rounds(outputs, job.delegate, before, after, phone.facts) for name, outputs in found.items()}


def run_once(phone: Phone, job: PhoneJob, graph: str, rounds: int, *, watch_memory: bool = False) -> BenchmarkOutput:
    """Runs one process on the phone, whose delegate is judged.

    Args:
        phone: To run on.
        job: How.
        graph: Path of the file there.
        rounds: See :func:`command`.
        watch_memory: See :func:`command`.

    Raises:
        CandidateFailed: it failed, or the delegate took nothing, or it printed no times.
    """
    words = command(job, graph, rounds, watch_memory=watch_memory)
    done = phone.run(words, job.timeout_seconds + job.min_seconds + _SLACK_SECONDS)
    text = f"{done.stdout}\n{done.stderr}"
    found = parse_benchmark(text)
    if done.returncode != 0:
        raise explain_benchmark_failure(done.returncode, text)
    judge_delegation(found, job.delegate)
    if found.stats is None or not found.stats.runs or not found.stats.mean_ms:
        raise CandidateFailed("benchmark_model printed no times", "is it LiteRT's, of TensorFlow 2.4 or later?")
    return found


def _rounds(
    outputs: Sequence[BenchmarkOutput],
    delegate: Delegate,
    before: PhoneState,
    after: PhoneState,
    facts: PhoneFacts,
) -> PhoneRounds:
    values = tuple(value_ms(each.stats) for each in outputs if each.stats)
    p50_ms, interval_ms = median(values), median_interval(values)
    reasons = (instability([], p50_ms, interval_ms), disturbance(before, after))
    return PhoneRounds(
        latency=RoundLatency(
            p50_ms=p50_ms,
            interval_ms=interval_ms,
            bursts_ms=values,
            unstable="; ".join(filter(None, reasons)),
            not_judged="other processes, clock",
            emulated="an Android emulator" if facts.emulated else "",
        ),
        outputs=tuple(outputs),
        delegation=judge_delegation(outputs[0], delegate),
        before=before,
        after=after,
    )


def value_ms(stats: RunStats) -> float:
    """Returns what stands for the runs of one process: their median, else their mean."""
    return stats.mean_ms if stats.median_ms is None else stats.median_ms


def measurement_of(phone: Phone, job: PhoneJob, rounds: PhoneRounds, memory: BenchmarkOutput) -> Measurement:
    """Returns what was found of one file, in the schema of all measurements.

    Args:
        phone: It was measured on.
        job: How.
        rounds: Its rounds.
        memory: Of the process whose memory was watched.
    """
    stats = [each.stats for each in rounds.outputs if each.stats]
    return Measurement(
        device=phone.name,
        latency_ms=LatencyMs(min(each.min_ms for each in stats), rounds.latency.p50_ms, None, None),
        samples_ms=(),
        load_ms=_median_of(each.init_ms for each in rounds.outputs),
        first_run_ms=_median_of(each.first_run_ms for each in rounds.outputs),
        peak_rss_bytes=memory.peak_bytes,
        rss_delta_bytes=memory.growth_bytes,
        threads=job.threads,
        conditions=Conditions(
            runtime="LiteRT benchmark_model",
            runtime_version=rounds.outputs[0].version or job.program_version,
            precision=precision_of(job),
            delegate=rounds.delegation,
            warmup_runs=round(median(each.warmup_runs for each in rounds.outputs)),
            runs=sum(each.runs for each in stats),
            batch=1,
            governor=phone.facts.governor,
            load_average=phone.facts.load_average,
            unstable=rounds.latency.unstable,
            not_judged=rounds.latency.not_judged,
            emulated=rounds.latency.emulated,
            note=_note(phone, rounds, stats),
        ),
        rounds=rounds.latency,
    )


def _note(phone: Phone, rounds: PhoneRounds, stats: Sequence[RunStats]) -> str:
    after = rounds.after
    told = any(each.median_ms is not None for each in stats)
    parts = [phone.facts.title, f"thermal status {rounds.before.thermal_name} to {after.thermal_name}"]
    if after.battery_percent is not None:
        parts.append(f"battery {after.battery_percent} %{', charging' if after.charging else ''}")
    parts.append(
        f"p50 is the median of {len(stats)} processes' {'medians' if told else 'means, for this version tells no percentiles'}"
    )
    return "; ".join(parts)


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
