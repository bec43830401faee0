"""The command line of trtexec, and a measurement from what it prints and writes, on a fake board."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from subprocess import CompletedProcess

import pytest

from edgevit.errors import CandidateFailed
from edgevit.measure.boards.trtexec import TrtexecJob, TrtPrecision, command, measure, shown
from edgevit.results.document import from_json, to_json
from edgevit.results.measurement import Measurement

PASSED = (Path(__file__).parent / "transcripts/trtexec/trt109_pass.txt").read_text(encoding="utf-8")
RUNS = [{"h2dMs": 0.5, "computeMs": 4.0 + place / 10, "d2hMs": 0.25} for place in range(31)]


def make_job(precision: TrtPrecision = "int8") -> TrtexecJob:
    return TrtexecJob("/cache/model one.onnx", precision, "/cache", min_runs=50, min_seconds=2.4)


@dataclass
class Board:
    """Answers trtexec and cat; remembers what it was asked."""

    text: str = PASSED
    returncode: int = 0
    times: str | None = field(default_factory=lambda: json.dumps(RUNS))
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Sequence[str], timeout_seconds: float) -> CompletedProcess[str]:
        assert timeout_seconds > 0
        self.asked.append(tuple(argv))
        if argv[0] == "cat":
            missing = self.times is None
            return CompletedProcess(argv, int(missing), self.times or "", "cat: No such file" if missing else "")
        if argv[0] == "rm":
            return CompletedProcess(argv, 0, "", "")
        return CompletedProcess(argv, self.returncode, self.text, "")


@pytest.mark.parametrize(("precision", "flags"), [("fp32", []), ("fp16", ["--fp16"]), ("int8", ["--int8", "--fp16"])])
def test_command_line(precision: TrtPrecision, flags: list[str]) -> None:
    words = list(command(make_job(precision)))
    assert words[:2] == ["/usr/src/tensorrt/bin/trtexec", "--onnx=/cache/model one.onnx"]
    assert [word for word in words if word in ("--fp16", "--int8", "--best")] == flags
    assert words[-4:] == ["--iterations=50", "--duration=2", "--warmUp=500", "--exportTimes=/cache/trtexec-times.json"]
    assert "'--onnx=/cache/model one.onnx'" in shown(make_job())


def test_measurement_has_every_run() -> None:
    board = Board()
    found = measure(make_job(), board.run, "jetson")
    latencies = [sum(run.values()) for run in RUNS[-29:]]  # 31 with the warm-up, 29 of them timed
    assert found.samples_ms == pytest.approx(latencies)
    assert found.latency_ms.p50 == pytest.approx(median(latencies))
    assert found.latency_ms.min == pytest.approx(min(latencies))
    assert found.load_ms == pytest.approx(210.22)
    assert (found.first_run_ms, found.peak_rss_bytes, found.rss_delta_bytes) == (None, None, None)
    conditions = found.conditions
    assert (conditions.runtime, conditions.runtime_version, conditions.precision) == ("TensorRT", "10.9.0", "int8+fp16")
    assert conditions.delegate == "GPU NVIDIA GeForce RTX 3070"
    assert conditions.runs == 29
    assert "copy in, compute (p50 5.600 ms) and copy out" in conditions.note
    assert "built on the board in 105 s" in conditions.note
    assert "varies by 1.1 %" in conditions.unstable
    assert from_json(Measurement, to_json(found)) == found


def test_what_was_written_is_removed() -> None:
    for board in (Board(), Board(returncode=1, text="&&&& FAILED TensorRT.trtexec [TensorRT v8601]")):
        try:
            measure(make_job(), board.run, "jetson")
        except CandidateFailed:
            assert board.returncode
        assert board.asked[-1] == ("rm", "-f", "/cache/trtexec-times.json")


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (Board(returncode=127, text="sh: trtexec: not found"), "no trtexec"),
        (Board(text=PASSED.replace("PASSED", "FAILED")), "trtexec failed"),
        (Board(text="[W] [TRT] Int8 support requested on hardware without native Int8 support\n" + PASSED), "no int8"),
        (Board(times=None), "wrote no times"),
        (Board(times="[]"), "cannot be read: it is not a list"),
        (Board(times=json.dumps(RUNS[:5])), "has 5 runs, and 29 were timed"),
    ],
)
def test_failures_have_a_reason(board: Board, words: str) -> None:
    with pytest.raises(CandidateFailed, match=words) as caught:
        measure(make_job(), board.run, "jetson")
    assert caught.value.hint
