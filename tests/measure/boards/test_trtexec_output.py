"""Transcripts of TensorRT 8 and 10, and the file of single runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgevit.measure.boards.trtexec_output import RunTimes, parse_output, parse_times

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "trtexec"


def transcript(name: str) -> str:
    return (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")


def run_line(**changes: Any) -> dict[str, Any]:
    """One run as TensorRT 10 writes it."""
    return {
        "startH2dMs": 1.0,
        "endH2dMs": 1.5,
        "h2dMs": 0.5,
        "computeMs": 4.0,
        "d2hMs": 0.25,
        "latencyMs": 4.75,
        **changes,
    }


def test_tensorrt_10_tells_all() -> None:
    found = parse_output(transcript("trt109_pass"))
    assert (found.version, found.passed, found.gpu) == ("10.9.0", True, "NVIDIA GeForce RTX 3070")
    assert (found.queries, found.load_seconds, found.build_seconds) == (29, 0.21022, 104.774)
    assert found.variation_percent == 1.08662
    latency = found.summaries["Latency"]
    assert (latency.min, latency.max, latency.median) == (110.946, 115.703, 112.567)
    assert latency.percentiles == ((90, 114.427), (95, 115.415), (99, 115.703))
    assert found.summaries["GPU Compute Time"].median == 111.208
    assert found.summaries["H2D Latency"].median == 0.769043


def test_tensorrt_8_tells_one_percentile() -> None:
    found = parse_output(transcript("trt84_xavier_pass"))
    assert (found.version, found.passed) == ("8.4.0", True)
    assert found.summaries["Latency"].percentiles == ((99, 0.420288),)
    assert (found.queries, found.load_seconds, found.build_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("banner", "version"),
    [("8003", "8.0.3"), ("8412", "8.4.12"), ("8601", "8.6.1"), ("100300", "10.3.0"), ("101601", "10.16.1")],
)
def test_version_of_the_banner(banner: str, version: str) -> None:
    assert parse_output(f"&&&& RUNNING TensorRT.trtexec [TensorRT v{banner}] # trtexec").version == version


def test_failed_is_not_passed_even_after_passed() -> None:
    both = transcript("trt109_pass") + "&&&& FAILED TensorRT.trtexec [TensorRT v100900]\n"
    assert not parse_output(both).passed
    assert not parse_output(transcript("trt80_unsupported_op")).passed
    assert not parse_output("").passed


def test_warm_up_runs_of_older_versions_are_left_out() -> None:
    runs = [run_line(computeMs=float(place)) for place in range(1, 6)]
    assert [each.compute_ms for each in parse_times(json.dumps(runs), 3)] == [3.0, 4.0, 5.0]
    assert len(parse_times(json.dumps(runs), None)) == 5


def test_latency_is_all_three() -> None:
    assert RunTimes(0.5, 4.0, 0.25).latency_ms == 4.75


@pytest.mark.parametrize(
    ("text", "timed", "words"),
    [
        ("{}", None, "not a list"),
        ("[]", None, "not a list"),
        ("[1]", None, "not an object"),
        ("[{}]", None, "h2dMs of a run is None"),
        (json.dumps([run_line(computeMs="4")]), None, "computeMs of a run is '4'"),
        (json.dumps([run_line(computeMs=True)]), None, "computeMs"),
        (json.dumps([run_line(d2hMs=-1)]), None, "d2hMs"),
        (json.dumps([run_line(computeMs=float("nan"))]), None, "computeMs"),
        (json.dumps([run_line(h2dMs=0, computeMs=0, d2hMs=0)]), None, "no time"),
        (json.dumps([run_line()]), 2, "has 1 runs, and 2 were timed"),
        ("[{", None, "Expecting"),
    ],
)
def test_damaged_times_are_refused(text: str, timed: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_times(text, timed)
