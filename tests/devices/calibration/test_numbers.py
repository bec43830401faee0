"""What networks are timed in: as a runtime quantizes them."""

from __future__ import annotations

from edgevit.devices.calibration.networks import networks
from edgevit.devices.calibration.numbers import numbers_of

BY_NAME = {network.name: network for network in networks()}


def test_numbers_are_those_that_the_runtime_quantizes_such_a_network_to() -> None:
    both = ("float", "int8_static")
    assert numbers_of(BY_NAME["transformer-a"], "litert") == ("float", "int8_dynamic")
    assert numbers_of(BY_NAME["transformer-a"], "openvino") == both
    assert numbers_of(BY_NAME["residual-a"], "onnxruntime") == numbers_of(BY_NAME["residual-a"], "litert") == both


def test_kernels_by_themselves_are_timed_in_every_kind_of_int8() -> None:
    every = ("float", "int8_static", "int8_dynamic")
    assert numbers_of(BY_NAME["linears-a"], "onnxruntime") == numbers_of(BY_NAME["linears-a"], "litert") == every
    assert numbers_of(BY_NAME["convs-3x3-a"], "litert") == every
    assert numbers_of(BY_NAME["convs-3x3-a"], "onnxruntime") == ("float", "int8_static")
