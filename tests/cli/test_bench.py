"""``edgevit bench``: which measurement is made, what is printed, and the exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.app import run
from edgevit.cli.bench import parse_seconds
from edgevit.commands.image_pipeline import PipelineLatency
from edgevit.errors import UsageError
from edgevit.measure.sustained import SustainedLatency, Window
from edgevit.results.comparison import Comparison, compare
from edgevit.results.image_pipeline import pipeline_times
from edgevit.results.layer_times import LayerTime
from edgevit.results.machine_state import Energy, MachineConditions
from edgevit.results.measurement import Interval, Measurement, RoundLatency
from edgevit.results.op_times import OpTimes
from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides, TilesSpec
from tests.factories import make_machine, make_measurement

NOISE = "other processes used 0.9 cores in 4 of 6 bursts"
Answer = Callable[[str, Any], list[tuple[Any, ...]]]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Replaces a function of ``edgevit.commands`` by an answer; returns what it was called with."""

    def replace_by(function: str, value: Any) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []

        def answered(*arguments: Any) -> Any:
            calls.append(arguments[:-1])  # without the progress callback
            return value

        monkeypatch.setattr(f"edgevit.commands.{function}", answered)
        return calls

    return replace_by


def alone(unstable: str = "", batch: int = 1) -> Measurement:
    measurement = make_measurement(12.0)
    return replace(measurement, conditions=replace(measurement.conditions, unstable=unstable, batch=batch))


def compared(unstable: str = "", batch: int = 1) -> Comparison:
    def latency(*bursts_ms: float) -> RoundLatency:
        interval = Interval(min(bursts_ms), max(bursts_ms))
        return RoundLatency(bursts_ms[0], interval, bursts_ms, unstable=unstable, not_judged="clock", batch=batch)

    files = {"a.onnx": latency(12.0, 12.1), "b.onnx": latency(10.0, 10.2), "c.tflite": latency(10.1, 10.1)}
    return compare([(Path(name), found) for name, found in files.items()], 4, "4 threads on 2 cores")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--min-seconds", "1e300"], "min_seconds"),
        (["--min-seconds", "inf"], "min_seconds"),
        (["--min-runs", "99999999999"], "min_runs"),
        (["--sustained", "99999999999999999999s"], "to a day"),
        (["--threads", "1000000"], "more than this machine can use"),
    ],
)
def test_what_would_never_end_is_refused(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not looked at")
    assert run(["bench", str(tmp_path / "a.onnx"), *options]) == 2
    assert words in capsys.readouterr().err


def test_one_file_is_measured_alone(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    calls = answer("bench.measure_file", alone())
    assert run(["bench", "a.onnx", "--threads", "2"]) == 0
    assert calls[0][1:] == (Path("a.onnx"), "fastest", MeasureSpec(threads=2, min_seconds=2.0), None)
    out = capsys.readouterr().out
    assert "12.0 ms" in out
    assert "stable: no other work disturbed it" in out


def test_a_batch_is_handed_on(answer: Answer) -> None:
    calls = answer("bench.measure_file", alone(batch=8))
    assert run(["bench", "a.onnx", "--batch", "8"]) == 0
    assert calls[0][-1] == 8


def test_several_files_are_compared(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    calls = answer("bench.compare_files", compared())
    assert run(["bench", "a.onnx", "b.onnx", "c.tflite", "--precision", "f32"]) == 0
    files = [Path("a.onnx"), Path("b.onnx"), Path("c.tflite")]
    assert calls[0][1:] == (files, "f32", MeasureSpec(min_seconds=2.0), None)
    out = capsys.readouterr().out
    rows = [line.split()[0] for line in out.splitlines() if line.startswith(("a.", "b.", "c."))]
    assert rows == ["b.onnx", "c.tflite", "a.onnx"]
    assert "fastest: b.onnx, tied with c.tflite" in out
    assert "4 threads on 2 cores" in out
    assert "not judged, for this system does not report it: clock" in out
    assert "images/s" not in out


def test_files_with_a_batch_have_a_throughput(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    answer("bench.compare_files", compared(batch=4))
    assert run(["bench", "a.onnx", "b.onnx", "c.tflite", "--batch", "4"]) == 0
    out = capsys.readouterr().out
    assert "400 images/s" in out
    assert "b.onnx (batch 4)" in out


@pytest.mark.parametrize("files", [("a.onnx",), ("a.onnx", "b.onnx")])
def test_an_unstable_measurement_is_named_and_fails_where_it_must_be_stable(
    files: tuple[str, ...], answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("bench.measure_file", alone(NOISE))
    answer("bench.compare_files", compared(NOISE))
    assert run(["bench", *files]) == 0
    assert f"unstable: {'' if len(files) == 1 else 'b.onnx: '}{NOISE}" in capsys.readouterr().out
    assert run(["bench", *files, "--require-stable"]) == 1
    captured = capsys.readouterr()
    assert NOISE in captured.out
    assert "error: the measurement is unstable" in captured.err
    answer("bench.machine_document", {})
    assert run(["bench", *files, "--require-stable", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)


def test_a_stable_measurement_passes_where_it_must_be_stable(answer: Answer) -> None:
    answer("bench.measure_file", alone())
    assert run(["bench", "a.onnx", "--require-stable"]) == 0
    answer("bench.measure_file", on(alone(), make_machine()))
    assert run(["bench", "a.onnx", "--require-stable"]) == 0


DRIFT = "the clock changed by 9 %, 1400 to 1540 MHz"


def on(measurement: Measurement, machine: MachineConditions) -> Measurement:
    return replace(measurement, conditions=replace(measurement.conditions, machine=machine))


def test_a_machine_that_changed_fails_a_measurement_that_must_be_stable(
    answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = make_machine(changed=(DRIFT,))
    answer("bench.measure_file", on(alone(), machine))
    assert run(["bench", "a.onnx"]) == 0
    out = capsys.readouterr().out
    assert f"conditions changed: {DRIFT}\nconditions: governor ondemand, 1500 MHz, 48 to 62 °C (cpu-thermal)" in out
    assert "energy not measured: this machine reports no energy counter" in out
    assert run(["bench", "a.onnx", "--require-stable"]) == 1
    assert f"error: the measurement is unstable: {DRIFT}" in capsys.readouterr().err

    first, *others = compared().files
    throttled = replace(first, latency=replace(first.latency, machine=make_machine(changed=("throttled",))))
    answer("bench.compare_files", replace(compared(), files=(throttled, *others)))
    assert run(["bench", "a.onnx", "b.onnx", "--require-stable"]) == 1
    captured = capsys.readouterr()
    assert "conditions changed: b.onnx: throttled" in captured.out
    assert "error: the measurement is unstable: b.onnx: throttled\n" in captured.err

    windows = tuple(Window(1.0, 100, 10.0, 1500.0) for _ in range(3))
    answer("bench.sustain_file", SustainedLatency(windows, 1, 1, machine))
    assert run(["bench", "a.onnx", "--sustained", "3s", "--require-stable"]) == 1
    assert DRIFT in capsys.readouterr().err


def test_energy_is_a_row_where_it_was_measured(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    answer("bench.measure_file", on(alone(), make_machine(energy=Energy(30.52, 4.2, 100, 2.0, "RAPL package-0"))))
    assert run(["bench", "a.onnx"]) == 0
    out = capsys.readouterr().out
    assert "30.5 mJ, 4.2 W (RAPL package-0, rest included)" in out
    assert "not measured" not in out


def test_a_long_run_shows_its_drift(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    windows = tuple(Window(1.0, 100, 10.0 + second / 10, 2400.0 - 50 * second) for second in range(21))
    calls = answer("bench.sustain_file", SustainedLatency(windows, 1, 1))
    assert run(["bench", "a.onnx", "--sustained", "1m"]) == 0
    assert calls[0][-1] == 60.0
    out = capsys.readouterr().out
    assert "+18.9 %" in out
    assert "throttled: 19 % slower at the end, the clock 40 % lower" in out
    assert "throttled p50" in out
    first, *_, last = [line for line in out.splitlines() if " MHz" in line]
    assert [cell.strip() for cell in re.split(" {2,}", first.strip())] == ["0 to 2 s", "100.0", "10.1 ms", "2375 MHz"]
    assert last.startswith("18 to 21 s")
    assert run(["bench", "a.onnx", "--sustained", "60s", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["sustained"]
    assert (document["first_ms"], len(document["windows"])) == (10.05, 21)
    assert (document["throttled"], document["images_per_second"]) == (True, [100.0] * 21)
    assert len(document["stretches"]) == 10


def test_the_way_from_the_image_shows_its_steps(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    found = PipelineLatency(pipeline_times([(3.0, 1.0, 6.0)] * 60), "photos", 1, "", "")
    calls = answer("image_pipeline.time_file_pipeline", found)
    assert run(["bench", "a.onnx", "--pipeline", "photos"]) == 0
    assert calls == [(Path("a.onnx"), "fastest", MeasureSpec(min_seconds=2.0), "photos", PreprocessingOverrides())]
    out = capsys.readouterr().out
    assert all(text in out for text in ("3.00 ms", "30.0 %", "10.0 ms", "100.0 images/s end to end", "photos"))
    assert run(["bench", "a.onnx", "--pipeline", "photos", "--json"]) == 0
    times = json.loads(capsys.readouterr().out)["pipeline"]["times"]
    assert [step["name"] for step in times["steps"]] == ["decode", "resize", "model"]
    assert times["images_per_second_interval"] == {"low": 100.0, "high": 100.0}


def test_tiles_are_timed_together(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    times = pipeline_times([(3.0, 1.0, 6.0)] * 60)
    found = PipelineLatency(times, "photos", 1, "", "", inferences_per_image=9.0)
    calls = answer("image_pipeline.time_file_pipeline", found)
    assert run(["bench", "a.onnx", "--pipeline", "photos", "--tiles", "size=24x40,overlap=0.1,reduce=best"]) == 0
    assert calls[0][-1] == PreprocessingOverrides(tiles=TilesSpec(size=(24, 40), overlap=0.1, reduce="best"))
    assert "9 tiles an image, fed one by one" in capsys.readouterr().out


def test_ops_are_shown_by_family_and_by_kernel(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    kernels = tuple(
        LayerTime("op", f"kernel {place}", "linear" if place else "depthwise_conv", 0.5, None, None, "")
        for place in range(14)
        for _ in range(2)
    )
    calls = answer("bench.profile_file", OpTimes("onnxruntime", "a profiler", 1, "f32", 16.0, 15.0, kernels))
    assert run(["bench", "a.onnx", "--op-times"]) == 0
    assert calls == [(Path("a.onnx"), "fastest", MeasureSpec(min_seconds=2.0))]
    out = capsys.readouterr().out
    assert "depthwise conv" in out
    assert "92.9 %" in out  # 13 of 14 kernels
    assert "and 2 kernels of less time" in out
    assert "14.0 ms; without the profiler: 15.0 ms at best, p50 16.0 ms" in out
    assert run(["bench", "a.onnx", "--op-times", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["op_times"]
    assert (document["sum_ms"], len(document["ops"])) == (14.0, 14)
    assert [family["kind"] for family in document["families"]] == ["linear", "depthwise_conv"]


def test_a_comparison_as_json(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    answer("bench.compare_files", compared())
    answer("bench.machine_document", {"host": {"cpu": "Cortex-A76"}})
    assert run(["bench", "a.onnx", "b.onnx", "c.tflite", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    files = document["comparison"]["files"]
    assert document["host"]["cpu"] == "Cortex-A76", "an anchor is checked by it"
    assert [file["artifact"] for file in files] == ["b.onnx", "c.tflite", "a.onnx"]
    assert files[0]["latency"]["bursts_ms"] == [10.0, 10.2]
    assert files[0]["speed_up_interval"]["low"] <= files[0]["speed_up"] <= files[0]["speed_up_interval"]["high"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.onnx", "b.onnx", "--pipeline", "digits"), "--pipeline takes one file, not 2"),
        (("a.onnx", "b.onnx", "--sustained", "60s"), "--sustained takes one file, not 2"),
        (("a.onnx", "--pipeline", "digits", "--sustained", "60s"), "do not go together"),
        (("a.onnx", "--pipeline", "digits", "--batch", "2"), "--pipeline takes single images"),
        (("a.onnx", "--sustained", "60s", "--batch", "2"), "--sustained does not take --batch"),
        (("a.onnx", "b.onnx", "--op-times"), "--op-times takes one file, not 2"),
        (("a.onnx", "--op-times", "--batch", "2"), "--op-times does not take --batch"),
        (("a.onnx", "--op-times", "--pipeline", "digits"), "do not go together"),
        (("a.onnx", "--op-times", "--min-runs", "60"), "--min-runs has no effect with --op-times"),
        (("a.onnx", "--sustained", "soon"), "--sustained 'soon' is not a time"),
        ((), "missing argument 'ARTIFACT"),
    ],
)
def test_exit_2_for_options_that_do_not_fit(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60.0), ("2m", 120.0), ("90", 90.0), ("2.5s", 2.5), ("10min", 600.0), ("10m", 600.0)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1h", "-5s", "1s", "infs", "1.2.3s", "²s", "10mins", "min", "10 min"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_seconds(text)
