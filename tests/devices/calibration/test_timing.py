"""Networks are timed beside the reference, as many as the time allows."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert")

from edgevit.devices.calibration import timing
from edgevit.devices.calibration.network import Builder, Network
from edgevit.devices.calibration.timing import FileTimeJob, TimingJob, time_file, time_runtime
from edgevit.devices.calibration.write_tflite import write_tflite


def small(name: str, width: int) -> Network:
    b = Builder()
    b.classify(b.conv(b.conv(b.input(16), width, 3, 2, "relu"), width, 3), 10)
    return b.network(name)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "networks", lambda: (small("first", 8), small("second", 64)))
    monkeypatch.setattr(timing, "reference", lambda: small("reference", 8))


@pytest.mark.usefixtures("two")
def test_times_are_multiples_of_the_reference(tmp_path: Path) -> None:
    found = time_runtime(TimingJob("litert", 1, tmp_path, seconds=60))
    assert {network.name for network in found.networks} == {"first", "second"}
    assert {network.numbers for network in found.networks} >= {"float", "int8_static"}
    assert all(network.relative > 0 and network.features["constant"] == 1 for network in found.networks)
    by_name = {network.name: network.relative for network in found.networks if network.numbers == "float"}
    assert by_name["second"] > by_name["first"]
    assert found.reference_ms > 0 and found.drift >= 0 and found.runtime_version


@pytest.mark.usefixtures("two")
def test_no_network_begins_after_the_time_is_over(tmp_path: Path) -> None:
    assert time_runtime(TimingJob("litert", 1, tmp_path, seconds=0)).networks == ()


@pytest.mark.usefixtures("two")
def test_a_file_is_timed_as_the_networks_are(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_tflite(small("model", 64), "float", path)
    found = time_file(FileTimeJob("litert", path, "f32", 1, tmp_path))
    assert len(found.relative) == timing.ROUNDS and min(found.relative) > 0 and found.ms > 0
