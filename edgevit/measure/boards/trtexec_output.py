"""What ``trtexec`` of TensorRT 8 and 10 prints, and the times of single runs that it writes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

_BANNER = re.compile(
    r"^&&&& (?P<state>RUNNING|PASSED|FAILED) TensorRT\.trtexec(?: \[TensorRT v(?P<version>\d+)\])?", re.M
)
_NUMBER = r"(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?)"
_SUMMARY = re.compile(
    rf"^.*?\[I\] (?P<name>Latency|GPU Compute Time|H2D Latency|D2H Latency|Enqueue Time): min = (?P<min>{_NUMBER}) ms,"
    rf" max = (?P<max>{_NUMBER}) ms, mean = (?P<mean>{_NUMBER}) ms, median = (?P<median>{_NUMBER}) ms"
    rf"(?P<rest>(?:, percentile\({_NUMBER}%\) = {_NUMBER} ms)*)",
    re.M,
)
_PERCENTILE = re.compile(rf"percentile\(({_NUMBER})%\) = ({_NUMBER}) ms")
_QUERIES = re.compile(rf"Timing trace has (\d+) queries over {_NUMBER} s")
_LOADED = re.compile(rf"Engine deserialized in ({_NUMBER}) sec")
_BUILT = re.compile(rf"(?:Engine built|Engine generation completed) in ({_NUMBER}) sec")
_GPU = re.compile(r"\[I\]\s+Selected Device: (.+?)\s*$", re.M)
_SPREAD = re.compile(rf"GPU compute time is unstable, with coefficient of variance = ({_NUMBER})%")


@dataclass(frozen=True)
class Summary:
    """One line of the performance summary, in ms."""

    min: float
    max: float
    mean: float
    median: float
    percentiles: tuple[tuple[float, float], ...]
    """Percent and value: 99 alone before TensorRT 8.5, then 90, 95 and 99."""


@dataclass(frozen=True)
class TrtexecOutput:
    """What a transcript says, as far as it says it."""

    version: str
    """Such as "8.6.1"; "" where it is not told."""
    passed: bool
    gpu: str
    """Such as "Orin"; "" where it is not told."""
    summaries: dict[str, Summary]
    """"Latency", "GPU Compute Time", "H2D Latency", "D2H Latency" and "Enqueue Time"."""
    queries: int | None
    """Runs that were timed, warm-up left out."""
    load_seconds: float | None
    """Of reading a built engine."""
    build_seconds: float | None
    variation_percent: float | None
    """Standard deviation of the GPU time over its mean, where trtexec calls it unstable."""


@dataclass(frozen=True)
class RunTimes:
    """Times of one run, in ms."""

    h2d_ms: float
    """Copy of the input to the GPU."""
    compute_ms: float
    d2h_ms: float
    """Copy of the output back."""

    @property
    def latency_ms(self) -> float:
        """All three: what trtexec calls latency."""
        return self.h2d_ms + self.compute_ms + self.d2h_ms


def parse_output(text: str) -> TrtexecOutput:
    """Reads a transcript; what it does not say is left out.

    Args:
        text: Standard output and error of ``trtexec``.
    """
    banners = list(_BANNER.finditer(text))
    states = {banner["state"] for banner in banners}
    version = next((_dotted(banner["version"]) for banner in banners if banner["version"]), "")
    gpu = _GPU.search(text)
    return TrtexecOutput(
        version=version,
        passed="PASSED" in states and "FAILED" not in states,
        gpu=gpu[1] if gpu else "",
        summaries={found["name"]: _summary(found) for found in _SUMMARY.finditer(text)},
        queries=_whole(_QUERIES, text),
        load_seconds=_last(_LOADED, text),
        build_seconds=_last(_BUILT, text),
        variation_percent=_last(_SPREAD, text),
    )


def parse_times(text: str, timed: int | None) -> tuple[RunTimes, ...]:
    """Reads the file of ``--exportTimes``.

    TensorRT before 8.5 writes the runs of the warm-up too, before those that were timed.

    Args:
        text: Of the file: a JSON list with one object a run.
        timed: Runs that were timed, by the transcript; None where it does not say so.

    Raises:
        ValueError: it is no such list, a time is none, or there are fewer runs than were timed.
    """
    document = json.loads(text)
    if not isinstance(document, list) or not document:
        raise ValueError("it is not a list of runs")
    runs = tuple(_run(each) for each in document)
    if timed is not None and len(runs) < timed:
        raise ValueError(f"it has {len(runs)} runs, and {timed} were timed")
    return runs if timed is None else runs[-timed:]


def _run(document: object) -> RunTimes:
    if not isinstance(document, dict):
        raise ValueError("a run is not an object")
    times = []
    for key in ("h2dMs", "computeMs", "d2hMs"):
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ValueError(f"{key} of a run is {value!r}")
        times.append(float(value))
    run = RunTimes(*times)
    if not run.latency_ms:
        raise ValueError("a run took no time")
    return run


def _dotted(version: str) -> str:
    """Returns "8.6.1" for "8601" and "10.3.0" for "100300": from version 10 on, two digits for each part."""
    if len(version) >= 6:
        parts = (version[:-4], version[-4:-2], version[-2:])
    else:
        parts = (version[:1], version[1:-2], version[-2:])
    return ".".join(str(int(part or "0")) for part in parts)


def _summary(found: re.Match[str]) -> Summary:
    percentiles = tuple((float(percent), float(ms)) for percent, ms in _PERCENTILE.findall(found["rest"]))
    return Summary(
        min=float(found["min"]),
        max=float(found["max"]),
        mean=float(found["mean"]),
        median=float(found["median"]),
        percentiles=percentiles,
    )


def _last(pattern: re.Pattern[str], text: str) -> float | None:
    values = pattern.findall(text)
    return float(values[-1]) if values else None


def _whole(pattern: re.Pattern[str], text: str) -> int | None:
    value = _last(pattern, text)
    return None if value is None else int(value)
