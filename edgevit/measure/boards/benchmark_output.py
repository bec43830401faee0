"""What LiteRT's ``benchmark_model`` prints, from TensorFlow 2.4 to LiteRT 2.

Versions differ in what they tell: all have count, least, largest and mean of the timed runs; from TensorFlow 2.17 on also the 5th,
50th and 95th percentile. None has times of single runs, or the 90th and 99th percentile.
Source: ``tflite/tools/benchmark/benchmark_model.cc`` and ``benchmark_tflite_model.cc`` of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_STATS = re.compile(rf"^(?:INFO: )?count=(?P<count>\d+)(?P<same>\(all same\))?(?P<rest>(?: \w+={_NUMBER})+)\s*$", re.M)
_FIELD = re.compile(rf"(\w+)=({_NUMBER})")
_TIMINGS = re.compile(rf"Inference timings in us: Init: ({_NUMBER}), First inference: ({_NUMBER}),")
_GROWTH = re.compile(
    rf"(?:Memory footprint delta from the start of the tool|Peak memory footprint) \(MB\): init={_NUMBER} overall=({_NUMBER})"
)
_PEAK = re.compile(rf"Overall peak memory footprint \(MB\) via periodic monitoring: ({_NUMBER})")
_VERSION = re.compile(r"Tensorflow Version\s*: (\S+)", re.I)
_APPLIED = re.compile(
    r"pplied (?P<name>\S+) delegate, and the model graph will be (?P<how>completely|partially) executed(?: by the delegate)?"
    r"(?: w/ (?P<kernels>\d+) delegate kernels)?"
)
_NOTHING = re.compile(r"Though (?P<name>\S+) delegate is explicitly applied, the model graph will not be executed")
_REPLACED = re.compile(r"Replacing (?P<nodes>\d+) out of (?P<total>\d+) node\(s\) with delegate \((?P<name>[^)]+)\)")
_SPLIT = re.compile(r"(?P<nodes>\d+) operations will run on the GPU, and the remaining (?P<rest>\d+) operations")
_ACCELERATORS = re.compile(r"NNAPI accelerators available: \[([^\]]*)\]")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class RunStats:
    """Of the runs of one phase, in ms."""

    runs: int
    min_ms: float
    mean_ms: float
    median_ms: float | None
    """None where the version does not tell percentiles."""


@dataclass(frozen=True)
class Replaced:
    """Nodes of the graph that a delegate took."""

    delegate: str
    """As it names itself, such as "TfLiteGpuDelegateV2"."""
    nodes: int
    total: int
    """Nodes of the graph when it was asked; delegates before it may have taken some."""


@dataclass(frozen=True)
class BenchmarkOutput:
    """What a transcript says, as far as it says it."""

    version: str
    """Of TensorFlow; "" where it is not told, as mostly."""
    stats: RunStats | None
    """Of the timed runs."""
    warmup_runs: int
    init_ms: float | None
    """Loading the file and applying the delegate."""
    first_run_ms: float | None
    growth_bytes: int | None
    """Of resident memory since the program began."""
    peak_bytes: int | None
    """Of resident memory of the program; only with --report_peak_memory_footprint."""
    partitions: dict[str, int]
    """By the name of each delegate that was asked for, such as "GPU": parts of the graph that it runs, 0 where it took nothing."""
    replaced: tuple[Replaced, ...]
    """In the order in which delegates were applied."""
    accelerators: tuple[str, ...]
    """Of NNAPI; () where it is not told."""


def parse_benchmark(text: str) -> BenchmarkOutput:
    """Reads a transcript; what it does not say is left out.

    Args:
        text: Standard output and error of ``benchmark_model``.
    """
    phases = [_stats(found) for found in _STATS.finditer(text)]
    timings = _TIMINGS.search(text)
    version = _VERSION.search(text)
    accelerators = _ACCELERATORS.search(text)
    return BenchmarkOutput(
        version=version[1] if version else "",
        stats=phases[-1] if phases and timings else None,
        warmup_runs=phases[-2].runs if len(phases) > 1 else 0,
        init_ms=float(timings[1]) / 1e3 if timings else None,
        first_run_ms=float(timings[2]) / 1e3 if timings else None,
        growth_bytes=_bytes(_GROWTH, text),
        peak_bytes=_bytes(_PEAK, text),
        partitions=_partitions(text),
        replaced=_replaced(text),
        accelerators=tuple(name.strip() for name in accelerators[1].split(",") if name.strip()) if accelerators else (),
    )


def _stats(found: re.Match[str]) -> RunStats:
    """Reads one line; where all runs took the same time it has that one time alone."""
    values = {name: float(us) / 1e3 for name, us in _FIELD.findall(found["rest"])}
    only = values.get("curr", 0.0)
    return RunStats(
        runs=int(found["count"]),
        min_ms=values.get("min", only),
        mean_ms=values.get("avg", only),
        median_ms=values.get("median"),
    )


def _partitions(text: str) -> dict[str, int]:
    taken = {found["name"]: int(found["kernels"] or 1) for found in _APPLIED.finditer(text)}
    return {**taken, **{found["name"]: 0 for found in _NOTHING.finditer(text)}}


def _replaced(text: str) -> tuple[Replaced, ...]:
    found = [Replaced(each["name"], int(each["nodes"]), int(each["total"])) for each in _REPLACED.finditer(text)]
    split = _SPLIT.search(text)
    if split and not any(each.delegate.startswith("TfLiteGpu") for each in found):
        nodes = int(split["nodes"])
        found.insert(0, Replaced("TfLiteGpuDelegateV2", nodes, nodes + int(split["rest"])))
    return tuple(found)


def _bytes(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return round(float(found[1]) * _MIB) if found else None
