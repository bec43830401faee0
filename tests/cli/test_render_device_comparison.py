"""What ``edgevit devices compare`` prints."""

from __future__ import annotations

import pytest

from edgevit.cli.render_device_comparison import print_device_comparison
from edgevit.results.device_comparison import ComparedPrediction, DeviceComparison
from edgevit.results.measurement import LatencyInterval

INSIDE = ComparedPrediction("a.onnx", "cpu", 12.0, LatencyInterval(10.0, 8.0, 13.0), 1.2, True, "fitted on 3")
OUTSIDE = ComparedPrediction("b.onnx", "cpu", 20.0, LatencyInterval(10.0, 8.0, 13.0), 2.0, False, "fitted on 3")
UNKNOWN = ComparedPrediction("c.onnx", "npu", 20.0, None, None, None, "reads other formats")


def test_each_artifact_has_a_row_and_all_together_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_device_comparison(DeviceComparison("pi", (INSIDE, OUTSIDE, UNKNOWN), 2, 1, 0.333, 1.6))
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if ".onnx" in line}
    assert rows["a.onnx"].rstrip().endswith("inside")
    assert "12.0 ms" in rows["a.onnx"]
    assert "8.00 ms to 13.0 ms" in rows["a.onnx"]
    assert rows["b.onnx"].rstrip().endswith("outside")
    assert rows["c.onnx"].rstrip().endswith("not predicted")
    assert "pi: 33.3 % off in the median, measured / predicted 1.60 ×; 1 of 2 inside the predicted interval" in out
    assert out.count("basis: fitted on 3") == 1


def test_nothing_predicted_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_device_comparison(DeviceComparison("tpu", (UNKNOWN,), 0, 0, None, None))
    assert "nothing could be predicted for tpu" in capsys.readouterr().out
