"""Calibrating this host: what is refused before anything is timed, and what is written."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.commands import calibrate
from edgevit.commands.calibrate import (
    HostCalibration,
    calibrate_machine,
    describe_machine,
    device_name,
    device_toml,
)
from edgevit.devices.calibration.quiet import Quiet
from edgevit.devices.calibration.timing import NetworkTime, RuntimeTimes
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint
from edgevit.measure.machine import this_machine
from edgevit.run.progress import Silent
from edgevit.run.task import Task


def asked(out: Path, *runtimes: str, force: bool = False, seconds: float = 60) -> HostCalibration:
    return HostCalibration(out, runtimes, seconds, 1, force)


def times(count: int = 30, drift: float = 0.05, busy: str = "") -> RuntimeTimes:
    networks = tuple(
        NetworkTime(f"plain-{number}", "float", 1.0 + number, {"macs linear": (1.0 + number) * 1e8, "constant": 1.0})
        for number in range(count)
    )
    return RuntimeTimes("2.3.0", 3.1, drift, networks, busy)


def refusal(given: HostCalibration, **changes: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        calibrate_machine(given, replace(this_machine(1), **changes), Silent())
    return caught.value


class Children:
    """Answers the look with what disturbs, and every other task with times."""

    def __init__(self, answer: RuntimeTimes, disturbs: str = "") -> None:
        self.answer, self.disturbs = answer, disturbs

    def __call__(self, *_: object) -> Children:
        return self

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, stage: str, task: Task[Any, Any]) -> RuntimeTimes | Quiet:
        return Quiet(self.disturbs) if task.answer is Quiet else self.answer


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_timed(tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.write_text("kept")
    assert "is a folder" in refusal(asked(tmp_path)).message
    assert "does not end in .toml" in refusal(asked(tmp_path / "a.json")).message
    assert "there is no folder" in refusal(asked(tmp_path / "no" / "a.toml")).message
    assert "exists" in refusal(asked(there)).message and "--force" in str(refusal(asked(there)).hint)
    assert there.read_text() == "kept"


def test_runtimes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.toml"
    assert "unknown backend" in refusal(asked(out, "onx")).message
    lacking: dict[str, Any] = {"lacks": lambda backend: f"{backend.runtime} is not installed"}
    assert refusal(asked(out, "openvino"), **lacking).message == "openvino is not installed"
    assert "no runtime is installed" in refusal(asked(out), **lacking).message
    there = refusal(asked(out, "tflite"), **lacking, name="pi")
    assert there.hint is not None and there.hint.startswith("pip install ai-edge-litert there")


def test_an_emulated_machine_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    error = refusal(asked(tmp_path / "a.toml", "tflite"), emulated="aarch64 programs on a processor of type x86")
    assert "cannot be calibrated: aarch64 programs" in error.message


def test_a_busy_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr(calibrate, "child_runner", Children(times(), "other processes used 1.3 cores"))
    error = refusal(asked(tmp_path / "a.toml", "tflite"))
    assert error.message == "this machine is busy: other processes used 1.3 cores" and "--force" in str(error.hint)
    board = refusal(asked(tmp_path / "a.toml", "tflite"), name="pi", shown="pi@pi")
    assert board.message == "pi@pi is busy: other processes used 1.3 cores"


def test_what_is_written_reads_back_with_its_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr(calibrate, "child_runner", Children(times(busy="steal time 9 %")))
    out = tmp_path / "My Host_2.toml"
    written = calibrate_machine(asked(out, "tflite"), this_machine(1), Silent())
    assert load_device(str(out)) == written and written.name == "my-host-2"
    (calibration,) = written.units[0].calibrations
    assert (calibration.runtime, calibration.networks, calibration.reference_ms) == ("litert", 30, 3.1)
    assert calibration.busy == "steal time 9 %" and 0 < calibration.half_width < math.inf
    assert written.units[0].runtimes == ("litert",)


def test_too_few_networks_or_too_much_drift_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    out = tmp_path / "a.toml"
    monkeypatch.setattr(calibrate, "child_runner", Children(times(5)))
    assert "--minutes" in str(refusal(asked(out, "tflite")).hint)
    monkeypatch.setattr(calibrate, "child_runner", Children(times(drift=0.8)))
    assert "80% apart" in refusal(asked(out, "tflite")).message
    assert not out.exists()
    calibrate_machine(asked(out, "tflite", force=True), this_machine(1), Silent())
    assert load_device(str(out)).units[0].calibrations[0].reference_drift == 0.8


def test_names_and_texts_of_devices() -> None:
    assert device_name(Path("x/My Pi (5).toml")) == "my-pi-5"
    assert device_name(Path("---.toml")) == "host"
    device = describe_machine(Path("a.toml"), {"litert": times(), "openvino": times()}, host_fingerprint(2))
    assert "2 threads" in device.units[0].title and device.units[0].runtimes == ("litert", "openvino")
    assert '[[units.calibrations]]\nruntime = "litert"' in device_toml(device)
