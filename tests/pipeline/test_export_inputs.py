"""What a spec asks to export to exists, and this processor can compute it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.devices.device import load_device  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.pipeline import inputs as module  # noqa: E402
from edgevit.pipeline.export_inputs import open_backends  # noqa: E402
from edgevit.pipeline.inputs import open_inputs  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from tests.pipeline.contexts import digits_spec, make_inputs  # noqa: E402


def test_bf16_is_refused_on_a_processor_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    host = replace(make_inputs(digits_spec()).host, cpu="Old CPU", isa=("avx2",))
    monkeypatch.setattr(module, "host_fingerprint", lambda threads: host)
    with pytest.raises(UsageError, match="bf16 needs a processor with bf16; Old CPU has none"):
        open_inputs(digits_spec(export={"backends": ["openvino"], "schemes": ["bf16"]}), Silent())


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"export": {"backends": []}}, "no backend is asked for"),
        ({"export": {"backends": ["tensorrt"]}}, "tensorrt"),
        ({"export": {"backends": ["onnx"], "schemes": ["fp16"]}}, "ONNX Runtime has no scheme 'fp16'"),
        ({"quantize": {"integer_io": "int8"}}, "artifacts have float inputs and outputs"),
        (
            {"quantize": {"integer_io": "int8"}, "export": {"backends": ["tflite"], "schemes": ["fp16"]}},
            "integer I/O needs static int8, not fp16",
        ),
    ],
)
def test_what_does_not_fit_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_inputs(digits_spec(**sections), Silent())


@pytest.mark.parametrize(
    ("devices", "export", "expected"),
    [
        ([], {}, ["onnxruntime", "openvino", "litert"]),
        (["snapdragon-8-gen-3"], {}, ["onnxruntime", "litert"]),
        (["coral-edge-tpu"], {"schemes": ["static_wi8_ai8"]}, ["litert"]),
        (["coral-edge-tpu", "raspberry-pi-5"], {}, ["onnxruntime", "openvino", "litert"]),
        (["coral-edge-tpu"], {"backends": ["onnx", "tflite"]}, ["onnxruntime", "litert"]),  # as the user says
    ],
)
def test_where_no_backend_is_named_those_that_a_device_reads_are_taken(
    devices: list[str], export: dict[str, Any], expected: list[str]
) -> None:
    spec = digits_spec(devices=devices, export=export)
    assert [backend.name for backend in open_backends(spec, tuple(map(load_device, devices)))] == expected
