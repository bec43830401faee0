"""What a file takes and gives."""

from __future__ import annotations

from pathlib import Path

from edgevit.artifacts.ports import ReadPortsJob, read_ports
from edgevit.results.output import Output
from tests.small_classifier import write_small_classifier


def test_they_are_those_of_the_session(tmp_path: Path) -> None:
    ports = read_ports(ReadPortsJob("onnxruntime", write_small_classifier(tmp_path / "m.onnx"), 1, "f32"))
    assert (ports.input.shape, ports.input.layout) == ((1, 3, 8, 6), "NCHW")
    assert ports.named == (Output("y", (3,)),)
    assert (ports.delegate, ports.precision, ports.threads) == ("CPUExecutionProvider", "f32", 1)
    assert ports.runtime_version.startswith("1.")
