"""The published configuration that is nearest to a unit of a device file with one of its runtimes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgevit.devices.architectures import architecture
from edgevit.devices.coefficients import CostModel
from edgevit.devices.device import Arithmetic, Device, Unit
from edgevit.devices.evidence import Configuration
from edgevit.devices.runtimes import RuntimeName

_RUNTIMES: Mapping[RuntimeName, tuple[str, ...]] = {
    "litert": ("LiteRT", "TFLite + XNNPACK", "XNNPACK", "ExecuTorch + XNNPACK", "TFLite"),
    "onnxruntime": ("ONNX Runtime",),
    "openvino": ("OpenVINO",),
    "openvino-gpu": ("OpenVINO",),
    "openvino-npu": ("OpenVINO",),
    "tensorrt": ("TensorRT", "TensorRT (torch2trt)"),
    "qnn-litert": ("TFLite + QNN delegate",),
    "qnn-onnxruntime": ("ONNX Runtime + QNN EP",),
    "edgetpu": ("libedgetpu (TFLite)", "edgetpu BasicEngine"),
    "google-tensor": ("TFLite (Edge TPU)",),
    "hailort": ("HailoRT",),
    "rknn": ("RKNN",),
    "coreml-onnxruntime": ("Core ML",),
    "coreml-litert": ("Core ML",),
    "neuropilot": ("NeuroPilot",),
    "enn": ("ENN",),
    "vx-delegate": ("TFLite VX delegate", "Tengine (TIM-VX)"),
}
_ENOUGH = 2
"""Measurements with which a name is known."""
_PRECISIONS: Mapping[Arithmetic, tuple[str, ...]] = {
    "float32": ("fp32",),
    "float16": ("fp16",),
    "int16": ("w8a16",),
    "int8": ("int8", "w8a8"),
}


def nearest_configuration(
    model: CostModel, device: Device, unit: Unit, runtime: RuntimeName, arithmetic: Arithmetic
) -> Configuration:
    """Returns the configuration that a unit is predicted as.

    Of its published names, it is the first runtime with a few measurements there (the kernels of today before those of
    old builds), or else the name with most measurements.

    Args:
        model: Cost model, for the number of measurements of each name.
        device: That the unit is of.
        unit: Compute unit.
        runtime: One of its runtimes.
        arithmetic: What it multiplies in.
    """
    named = tuple(_candidates(model, device, unit, runtime, arithmetic))
    order = {name: -position for position, name in enumerate(_RUNTIMES[runtime])}
    levels = ("configuration", "kernels device", "unit device", "kernels architecture", "kernels", "runtime")

    def rank(configuration: Configuration) -> tuple[int, ...]:
        enough = model.count("configuration", configuration) >= _ENOUGH
        counts = (model.count(level, configuration) for level in levels)
        return (int(enough), order[configuration.runtime] if enough else 0, *counts)

    return max(named, key=rank)


def _candidates(
    model: CostModel, device: Device, unit: Unit, runtime: RuntimeName, arithmetic: Arithmetic
) -> Iterator[Configuration]:
    kinds = ("npu", "tpu") if unit.kind == "npu" else (unit.kind,)
    threads = str(unit.threads) if unit.threads and unit.kind == "cpu" else ""
    for kind in kinds:
        for name in device.measured_as or ("",):
            cores = _measured_architecture(model, kind, name) or architecture(kind, f"{device.chip} {device.title}")
            for published in _RUNTIMES[runtime]:
                for precision in _PRECISIONS[arithmetic]:
                    yield Configuration(kind, published, precision, name, cores, threads)


def _measured_architecture(model: CostModel, kind: str, device: str) -> str | None:
    """Architecture that measurements of a device's unit were filed under."""
    found = (group[-1] for group, names in model.devices.items() if group[0] == kind and device in names)
    return next(found, None)
