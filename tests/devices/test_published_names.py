from __future__ import annotations

from typing import get_args

import pytest

from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.device import Arithmetic, load_device
from edgevit.devices.published_names import _PRECISIONS, _RUNTIMES, nearest_configuration
from edgevit.devices.runtimes import RUNTIME_NAMES, RuntimeName


def test_every_runtime_and_arithmetic_has_a_published_name() -> None:
    assert set(_RUNTIMES) == set(RUNTIME_NAMES)
    assert set(_PRECISIONS) == set(get_args(Arithmetic))


@pytest.mark.parametrize(
    ("device", "runtime", "arithmetic", "expected"),
    [
        ("raspberry-pi-3b-plus", "litert", "float32", ("cpu", "XNNPACK", "fp32", "Raspberry Pi 3B+", "Cortex-A53")),
        ("jetson-nano", "tensorrt", "float16", ("gpu", "TensorRT", "fp16", "Jetson Nano", "Maxwell")),
        (
            "galaxy-s24-npu",
            "qnn-litert",
            "int8",
            ("npu", "TFLite + QNN delegate", "w8a8", "Samsung Galaxy S24", "Hexagon v75"),
        ),
    ],
)
def test_the_configuration_with_most_measurements(
    device: str, runtime: RuntimeName, arithmetic: Arithmetic, expected: tuple[str, ...]
) -> None:
    found = load_device(device)
    nearest = nearest_configuration(load_cost_model(), found, found.units[0], runtime, arithmetic)
    assert (nearest.unit, nearest.runtime, nearest.precision, nearest.device, nearest.architecture) == expected
