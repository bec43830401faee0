"""What sets the scale of a device: numbers, runs and bench documents, and which of them are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.commands import probes
from edgevit.commands.anchors import parse_anchor, read_anchors
from edgevit.devices.device import load_device
from edgevit.devices.predict import MeasuredFile
from edgevit.errors import UsageError
from edgevit.results.board import BoardRecord
from edgevit.results.comparison import compare
from edgevit.results.document import to_document
from edgevit.results.measurement import Host, Interval, RoundLatency
from edgevit.results.run import Run, run_to_json
from edgevit.run.files import file_sha256
from tests.factories import make_candidate, make_measurement, make_run

PI = load_device("raspberry-pi-5")
HOST = Host(
    "Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)", 4, ("asimd",), 8 << 30, "Debian, Linux 6.6 aarch64", "3.11", "x", 4
)
MEASURED = replace(make_measurement(), threads=4)


@pytest.mark.parametrize(("text", "ms"), [("{}=12.3ms", 12.3), ("{}=2s", 2000), ("{}=.5ms", 0.5)])
def test_a_file_and_its_latency(text: str, ms: float, tmp_path: Path) -> None:
    file = tmp_path / "a=b.tflite"
    file.write_bytes(b"")
    assert parse_anchor(text.format(file)) == MeasuredFile(file, ms)


@pytest.mark.parametrize("text", ["model.tflite", "model.tflite=12", "model.tflite=-1ms", "=3ms", "model.tflite=0ms"])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(UsageError, match="not FILE=LATENCY"):
        read_anchors([text], [PI])


def test_the_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.tflite"):
        read_anchors([f"{tmp_path / 'none.tflite'}=3ms"], [PI])
    with pytest.raises(UsageError, match=r"none\.json"):
        read_anchors([str(tmp_path / "none.json")], [PI])


Make = Callable[..., str]


@pytest.fixture
def bench_json(tmp_path: Path) -> Make:
    """Writes what ``edgevit bench FILE --json`` does, with changes, beside a copy of its file."""
    file = tmp_path / "model.onnx"
    file.write_bytes(probes.probe_path(".onnx").read_bytes())

    def make(**changes: Any) -> str:
        document = {
            "artifact": "/home/pi/model.onnx",
            "measurement": to_document(MEASURED),
            "host": to_document(HOST),
            "sha256": {"/home/pi/model.onnx": file_sha256(file)},
        }
        (tmp_path / "measured.json").write_text(json.dumps(document | changes))
        return str(tmp_path / "measured.json")

    return make


def test_a_bench_document_with_its_file_beside_it(bench_json: Make, tmp_path: Path) -> None:
    wanted = (MeasuredFile(tmp_path / "model.onnx", MEASURED.latency_ms.p50, "cpu"),)
    assert read_anchors([bench_json()], [PI]) == wanted
    without = json.loads(Path(bench_json()).read_text())
    del without["host"], without["sha256"]  # as of an earlier version
    Path(bench_json()).write_text(json.dumps(without))
    assert read_anchors([str(tmp_path / "measured.json")], [PI]) == wanted


def test_a_bench_document_of_several_files(bench_json: Make, tmp_path: Path) -> None:
    latency = RoundLatency(3.0, Interval(2.9, 3.1), (2.9, 3.0, 3.1))
    comparison = compare([(tmp_path / "model.onnx", latency)], 4)
    assert read_anchors([bench_json(comparison=to_document(comparison))], [PI]) == (
        MeasuredFile(tmp_path / "model.onnx", 3.0, "cpu"),
    )


def emulated() -> Any:
    conditions = replace(MEASURED.conditions, emulated="aarch64 programs on a processor of type x86")
    return to_document(replace(MEASURED, conditions=conditions))


def disturbed() -> dict[str, Any]:
    return dict(to_document(replace(MEASURED, conditions=replace(MEASURED.conditions, unstable="other processes"))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"measurement": disturbed()}, "was disturbed: other processes"),
        ({"measurement": emulated()}, "emulated times say nothing"),
        ({"measurement": to_document(replace(MEASURED, threads=1))}, "ran with 1 thread, and predictions"),
        ({"host": to_document(replace(HOST, cpu="AMD EPYC", isa=("avx2",), os="Linux x86_64"))}, "AMD EPYC, not on"),
        ({"host": to_document(replace(HOST, cpu="QEMU Virtual CPU"))}, "emulated"),
        ({"sha256": {"/home/pi/model.onnx": "ab"}}, "another model.onnx"),
        ({"artifact": "/home/pi/other.onnx", "sha256": {}}, "which is not there"),
        ({"measurement": {}}, "is no measurement"),
    ],
)
def test_a_measurement_that_cannot_be_one_of_the_device_is_refused(
    changes: dict[str, Any], words: str, bench_json: Make
) -> None:
    with pytest.raises(UsageError, match=words):
        read_anchors([bench_json(**changes)], [PI])


def test_batches_and_accelerators_without_a_processor_are_refused(bench_json: Make) -> None:
    batches = replace(MEASURED, conditions=replace(MEASURED.conditions, batch=8))
    with pytest.raises(UsageError, match="in batches of 8"):
        read_anchors([bench_json(measurement=to_document(batches))], [PI])
    path = bench_json()
    without = json.loads(Path(path).read_text())
    del without["host"]
    Path(path).write_text(json.dumps(without))
    with pytest.raises(UsageError, match="has none of its own"):
        read_anchors([path], [load_device("coral-edge-tpu")])


def write_run(folder: Path, **changes: Any) -> Run:
    """A run on a Raspberry Pi 5 of two candidates, the second of which is not in its folder."""
    first = make_candidate("litert/fp32/dense", measurements=(MEASURED,))
    second = make_candidate("litert/fp16/dense", measurements=(MEASURED,))
    assert first.artifact
    file = folder / first.artifact.path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    run = replace(make_run(), host=HOST, candidates=(first, second), selected=None, **changes)
    (folder / "run.json").write_bytes(run_to_json(run))
    return run


def test_a_run_gives_what_is_measured_in_its_folder(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (found,) = read_anchors([str(tmp_path)], [PI])
    assert (found.ms, found.unit_kind) == (run.candidates[0].p50_ms, "cpu")
    assert found.file.is_file()
    assert read_anchors([str(tmp_path / "run.json")], [PI]) == (found,)
    with pytest.raises(UsageError, match="not on Raspberry Pi 4"):
        read_anchors([str(tmp_path)], [load_device("raspberry-pi-4b")])
    found.file.unlink()
    with pytest.raises(UsageError, match="no measured artifact"):
        read_anchors([str(tmp_path)], [PI])


def test_a_run_made_elsewhere_gives_what_it_measured_on_a_board_that_fits(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    there = RoundLatency(61.0, Interval(60.0, 62.0), (60.0, 61.0, 62.0))
    first = replace(
        run.candidates[0],
        on_boards={"pi": there},
        measurements=(*run.candidates[0].measurements, replace(MEASURED, device="pi")),
    )
    laptop = replace(HOST, cpu="Some x86", isa=("avx2",), os="Debian, Linux 6.6 x86_64")
    run = replace(run, host=laptop, candidates=(first, *run.candidates[1:]), boards=(BoardRecord("pi", HOST),))
    (tmp_path / "run.json").write_bytes(run_to_json(run))
    (found,) = read_anchors([str(tmp_path)], [PI])
    assert (found.ms, found.unit_kind) == (61.0, "cpu")
    with pytest.raises(UsageError, match="not on Raspberry Pi 4|Some x86"):
        read_anchors([str(tmp_path)], [load_device("raspberry-pi-4b")])


def test_what_ran_on_a_gpu_is_no_measurement_of_the_processor(bench_json: Make) -> None:
    with pytest.raises(UsageError, match="provider cuda, not on the processor"):
        read_anchors([bench_json(onnxruntime_provider="cuda")], [PI])
