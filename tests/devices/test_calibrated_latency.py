"""Predictions from a machine's own calibration."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from edgevit.devices.calibrated_latency import calibrated_latency
from edgevit.devices.calibration.prior import prior_cost
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import CALIBRATED_FEATURES, Calibration, Cores, Device, Unit, load_device
from edgevit.devices.layer_times import predict_layers
from edgevit.errors import UsageError
from edgevit.spec.toml_files import names, validate
from tests.devices.graphs import layer

COSTS = {"constant": 0.01, "macs linear": 4e-9, "read linear": 1e-8, "written linear": 1e-8, "weights linear": 2e-8, "kernels linear": 0.001}  # fmt: skip


def calibration(**changes: Any) -> Calibration:
    fields = {
        "runtime": "litert", "runtime_version": "2.3.0", "threads": 1, "date": "2026-11-27", "edgevit_version": "0.2.0",
        "networks": 50, "reference_ms": 3.0, "reference_drift": 0.05, "median_error": 0.04, "half_width": 0.1, "features": CALIBRATED_FEATURES,
        "costs": COSTS, **changes,
    }  # fmt: skip
    return Calibration(**fields)


def device(*calibrations: Calibration) -> Device:
    unit = Unit(
        name="cpu", title="a processor", kind="cpu", cores=(Cores(architecture="Some core", source="here"),),
        runtimes=("litert", "onnxruntime"), numerics={"float": "float32"}, calibrations=calibrations,
    )  # fmt: skip
    return Device(name="my-host", title="my host", kind="computer", units=(unit,))


LINEAR = layer(10**8, kind="linear", native="FULLY_CONNECTED")
EXPECTED_MS = 3.0 * (0.01 + 1e8 * 4e-9 + 1000 * 1e-8 + 1000 * 1e-8 + 1000 * 2e-8 + 0.001)


def test_known_costs_give_the_known_time() -> None:
    found = calibrated_latency(LINEAR, calibration())
    assert found.interval.p50 == pytest.approx(EXPECTED_MS)
    assert found.interval.low == pytest.approx(EXPECTED_MS * math.exp(-0.1))
    ((kernel, ms),) = found.kernels
    assert kernel.family == "linear" and ms == pytest.approx(EXPECTED_MS - 0.03)


def test_a_cost_that_no_network_told_is_the_usual_one_and_widens_the_interval() -> None:
    costs = {name: cost for name, cost in COSTS.items() if name != "macs linear"}
    found = calibrated_latency(LINEAR, calibration(costs=costs))
    usual = 3.0 * 1e8 * prior_cost("macs linear")
    assert found.interval.p50 == pytest.approx(EXPECTED_MS - 3.0 * 1e8 * 4e-9 + usual)
    assert math.log(found.interval.high / found.interval.p50) > 1


def test_a_calibrated_runtime_is_predicted_from_it_and_the_basis_says_so() -> None:
    prediction = predict_latency(LINEAR, device(calibration()))
    assert prediction.latency_ms is not None and prediction.latency_ms.p50 == pytest.approx(EXPECTED_MS)
    assert prediction.basis.startswith(
        "calibrated on this machine on 2026-11-27: 50 networks in litert 2.3.0, 1 thread"
    )
    assert "busy" not in prediction.basis
    busy = predict_latency(LINEAR, device(calibration(busy="other processes used 0.9 cores")))
    assert busy.basis.endswith("the machine was busy: other processes used 0.9 cores")


def test_layers_add_up_to_the_prediction() -> None:
    found = predict_layers(LINEAR, device(calibration()))
    assert found is not None and sum(each.ms for each in found.layers) == pytest.approx(EXPECTED_MS - 0.03)


def test_a_runtime_without_calibration_is_predicted_as_before() -> None:
    assert "calibrated" not in predict_latency(LINEAR, device(calibration(runtime="onnxruntime"))).basis


def test_faults_of_a_calibration_are_told_with_their_paths() -> None:
    document = device(calibration()).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    document["units"][0]["calibrations"][0] |= {"reference_ms": -1.0, "date": "today", "costs": {"macs linear": 0.0}}
    with pytest.raises(UsageError) as caught:
        validate(Device, document, "d.toml")
    for path in ("reference_ms", "date", "costs.macs linear"):
        assert f"units.0.calibrations.0.{path}: " in caught.value.message


def test_a_runtime_is_calibrated_once_and_one_that_the_unit_has() -> None:
    with pytest.raises(ValueError, match="twice"):
        device(calibration(), calibration())
    with pytest.raises(ValueError, match="none of runtimes"):
        device(calibration(runtime="openvino"))


@pytest.mark.parametrize("name", names("devices"))
def test_no_shipped_device_has_coefficients_of_a_machine(name: str) -> None:
    assert not any(unit.calibrations for unit in load_device(name).units)


@pytest.mark.parametrize("given", [{}, {"features": 1}, {"features": CALIBRATED_FEATURES + 1}])
def test_costs_of_other_features_are_refused(given: dict[str, int]) -> None:
    """As in a file of an earlier version: its costs would be taken for those of something else."""
    fields = {name: value for name, value in calibration().model_dump().items() if name != "features"}
    with pytest.raises(ValidationError, match="make the file again by edgevit devices calibrate"):
        Calibration(**fields, **given)
