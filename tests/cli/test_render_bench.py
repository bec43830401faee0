"""What ``edgevit bench`` prints of what it measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli import render_bench
from edgevit.commands.image_pipeline import PipelineLatency
from edgevit.measure.sustained import SustainedLatency, Window
from edgevit.results.comparison import compare
from edgevit.results.image_pipeline import pipeline_times
from edgevit.results.measurement import Interval, RoundLatency
from tests.factories import make_measurement

NOISE = "other processes used 0.9 cores"


def cells(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The last cell of each row by its first one."""
    rows = (line.split("  ") for line in capsys.readouterr().out.splitlines())
    return {row[0].strip(): row[-1].strip() for row in rows}


def test_a_batch_is_named_and_the_time_of_an_image_is_apart(capsys: pytest.CaptureFixture[str]) -> None:
    measurement = make_measurement(12.0)
    batched = replace(measurement, conditions=replace(measurement.conditions, batch=8))
    render_bench.print_measurement(Path("a.onnx"), batched, "this host")
    found = cells(capsys)
    assert (found["latency p50"], found["p50 per image"], found["throughput"]) == ("12.0 ms", "1.50 ms", "667 images/s")
    assert "a.onnx, batch 8" in found
    render_bench.print_measurement(Path("a.onnx"), measurement, "this host")
    assert not {"p50 per image", "throughput"} & cells(capsys).keys()


def test_more_threads_than_cores_are_noted(capsys: pytest.CaptureFixture[str]) -> None:
    measurement = make_measurement(12.0)
    noted = replace(measurement, conditions=replace(measurement.conditions, note="4 threads on 2 cores"))
    render_bench.print_measurement(Path("a.onnx"), noted, "this host")
    assert cells(capsys)["threads"] == "4 threads on 2 cores"


@pytest.mark.parametrize(
    ("unstable", "not_judged", "lines"),
    [
        ("", "", ["stable: no other work disturbed it"]),
        (NOISE, "", [f"unstable: {NOISE}"]),
        ("", "clock", ["stable: no other work disturbed it", "not judged, for this system does not report it: clock"]),
    ],
)
def test_the_conditions_are_told(
    unstable: str, not_judged: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    measurement = make_measurement(12.0)
    conditions = replace(measurement.conditions, unstable=unstable, not_judged=not_judged)
    render_bench.print_measurement(Path("a.onnx"), replace(measurement, conditions=conditions), "this host")
    times = pipeline_times([(3.0, 1.0, 5.0)])
    render_bench.print_pipeline(Path("a.onnx"), PipelineLatency(times, "digits", 1, unstable, not_judged))
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.startswith(("stable", "unstable", "not judged"))] == lines * 2


def test_the_fastest_comes_first_with_what_ties(capsys: pytest.CaptureFixture[str]) -> None:
    def latency(*bursts_ms: float) -> RoundLatency:
        return RoundLatency(bursts_ms[0], Interval(min(bursts_ms), max(bursts_ms)), bursts_ms)

    files = {"a.onnx": latency(12.0, 12.1), "b.onnx": latency(10.0, 10.2), "c.tflite": latency(10.1, 10.1)}
    found = compare([(Path(name), each) for name, each in files.items()], 1)
    render_bench.print_comparison(found, "this host")
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("a.", "b.", "c."))] == [
        "b.onnx",
        "c.tflite",
        "a.onnx",
    ]
    assert "fastest: b.onnx, tied with c.tflite" in out
    assert "unstable" not in out


def test_a_long_run_that_got_slower_without_a_known_clock_is_not_called_throttled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    windows = tuple(Window(1.0, 100, 10.0 + second, None, NOISE) for second in range(3))
    render_bench.print_sustained(Path("a.onnx"), SustainedLatency(windows, 1, 1), "this host")
    out = capsys.readouterr().out
    assert "throttled" not in out
    assert "not reported by this system" in out
    assert f"unstable: {NOISE}; disturbed in 3 of 3 seconds" in out
