"""Predictions beside what was measured: each artifact without its own measurement, on the unit that ran it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.commands import probes
from edgevit.commands.anchors import read_measured
from edgevit.commands.device_comparison import compare_with_measured
from edgevit.devices.device import load_device
from edgevit.devices.predict import MeasuredFile, PredictMeasuredJob, predict_measured
from edgevit.errors import UsageError
from edgevit.results.document import to_document
from edgevit.results.measurement import Host
from edgevit.run.progress import Silent
from tests.factories import make_measurement

PI = load_device("raspberry-pi-5")
PROBE = probes.probe_path(".onnx")


def predicted_ms() -> float:
    found = predict_measured(PredictMeasuredJob((MeasuredFile(PROBE, 1.0, "cpu"),), PI)).predictions[0].latency_ms
    assert found
    return found.p50


def test_a_prediction_does_not_see_the_measurement() -> None:
    jobs = (PredictMeasuredJob((MeasuredFile(PROBE, ms, "cpu"),), PI) for ms in (1.0, 1000.0))
    first, second = (predict_measured(job).predictions[0] for job in jobs)
    assert first == second
    assert first.unit == "cpu"


def test_the_unit_that_ran_it_is_predicted_for() -> None:
    jetson = load_device("jetson-orin-nano")
    kinds = {unit.kind: unit.name for unit in jetson.units}
    files = tuple(MeasuredFile(PROBE, 1.0, kind) for kind in kinds)
    found = predict_measured(PredictMeasuredJob(files, jetson)).predictions
    assert [each.unit for each in found] == list(kinds.values())


def test_ratios_and_what_is_inside() -> None:
    expected = predicted_ms()
    given = [f"{PROBE}={ratio * expected:.9f}ms" for ratio in (1.0, 1.1, 100.0)]
    found = compare_with_measured("raspberry-pi-5", given, Silent())
    assert [each.inside for each in found.files] == [True, True, False]
    assert [each.ratio for each in found.files] == pytest.approx([1.0, 1.1, 100.0], rel=1e-5)
    assert (found.predicted, found.inside) == (3, 2)
    assert found.median_error == pytest.approx(1 - 1 / 1.1, rel=1e-4)
    assert found.median_ratio == pytest.approx(1.1, rel=1e-5)


def test_what_cannot_be_predicted_is_said_and_not_counted() -> None:
    found = compare_with_measured("coral-edge-tpu", [f"{PROBE}=3ms"], Silent())
    (only,) = found.files
    assert (only.predicted_ms, only.ratio, only.inside) == (None, None, None)
    assert only.basis
    assert (found.predicted, found.median_error, found.median_ratio) == (0, None, None)


def test_a_bench_document_of_another_machine_is_refused(tmp_path: Path) -> None:
    host = Host("AMD EPYC", 2, ("avx2",), 8 << 30, "Debian, Linux 6.6 x86_64", "3.11", "x", 4)
    measured = {"artifact": str(PROBE), "measurement": to_document(make_measurement()), "host": to_document(host)}
    (tmp_path / "m.json").write_text(json.dumps(measured))
    with pytest.raises(UsageError, match=r"^\S*m\.json is no measurement on raspberry-pi-5"):
        read_measured(str(tmp_path / "m.json"), PI)
    with pytest.raises(UsageError, match="^'model.onnx' is not FILE=LATENCY"):
        read_measured("model.onnx", PI)
