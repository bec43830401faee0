"""Graphs of models by name."""

from __future__ import annotations

import pytest

from edgevit.commands.model_graph import model_graph
from edgevit.devices.device import load_device
from edgevit.devices.op_support import CAPTURED, check_support
from edgevit.errors import UsageError
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides


def test_a_model_is_captured_at_its_own_size_and_at_another() -> None:
    own, size = model_graph(ModelSpec(name="digits_vit"))
    assert (own.format, size, own.macs > 0) == (CAPTURED, (32, 32), True)
    assert any(op.kind == "softmax" for op in own.ops), "attention is written out"
    larger, wide = model_graph(ModelSpec(name="digits_cnn", preprocessing=PreprocessingOverrides(input_size=(32, 64))))
    half, _ = model_graph(ModelSpec(name="digits_cnn"))
    assert wide == (32, 64)
    assert larger.macs == pytest.approx(2 * half.macs, rel=0.01)
    pi, coral = (load_device(name).units[0] for name in ("raspberry-pi-4b", "coral-edge-tpu"))
    assert check_support(half, pi).runs
    assert {fallback.reason for fallback in check_support(half, coral).fallbacks} == {"numerics", "float_io"}


def test_what_does_not_take_a_size_says_so() -> None:
    with pytest.raises(UsageError):
        model_graph(ModelSpec(name="digits_vit", preprocessing=PreprocessingOverrides(input_size=(31, 17))))
