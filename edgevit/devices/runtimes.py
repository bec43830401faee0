"""Runtimes that run artifacts on compute units: which files they read, and what they do with an op that they lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal["onnx", "openvino", "tflite"]
"""Formats of artifacts."""

RuntimeName = Literal[
    "litert",
    "onnxruntime",
    "openvino",
    "openvino-gpu",
    "openvino-npu",
    "tensorrt",
    "qnn-litert",
    "qnn-onnxruntime",
    "edgetpu",
    "google-tensor",
    "hailort",
    "rknn",
    "coreml-onnxruntime",
    "coreml-litert",
    "neuropilot",
    "enn",
    "vx-delegate",
]
"""As device files name them."""

Fallback = Literal["processor", "rest", "none"]
"""What becomes of an op that a runtime lacks on its unit: "processor": it runs on the CPU, and the graph is cut around
it; "rest": it and all that follows run on the CPU; "none": the graph does not compile."""


@dataclass(frozen=True)
class Runtime:
    """One runtime, with the compiler that it needs."""

    name: RuntimeName
    title: str
    """For people."""
    formats: tuple[Format, ...]
    """Files that it reads, or that its compiler reads."""
    fallback: Fallback
    symmetric: bool = False
    """Whether it takes static int8 only as TensorRT does: signed integers with the zero point 0, one scale for an activation, and
    biases in float (``QuantDequantLinearHelper`` in ``onnxOpImporters.cpp`` of onnx/onnx-tensorrt; NVIDIA's documentation of
    explicit quantization)."""


_ALL = (
    Runtime("litert", "LiteRT with XNNPACK", ("tflite",), "none"),
    Runtime("onnxruntime", "ONNX Runtime", ("onnx",), "none"),
    Runtime("openvino", "OpenVINO's CPU plugin", ("openvino",), "none"),
    Runtime("openvino-gpu", "OpenVINO's GPU plugin", ("openvino",), "none"),
    Runtime("openvino-npu", "OpenVINO's NPU plugin", ("openvino",), "none"),
    Runtime(
        "tensorrt",
        "TensorRT, as execution provider of ONNX Runtime or by itself",
        ("onnx",),
        "processor",
        symmetric=True,
    ),
    Runtime("qnn-litert", "Qualcomm QNN as LiteRT delegate", ("tflite",), "processor"),
    Runtime("qnn-onnxruntime", "Qualcomm QNN as execution provider of ONNX Runtime", ("onnx",), "processor"),
    Runtime("edgetpu", "edgetpu_compiler and libedgetpu (LiteRT delegate)", ("tflite",), "rest"),
    Runtime("google-tensor", "LiteRT on Google Tensor", ("tflite",), "processor"),
    Runtime("hailort", "Hailo Dataflow Compiler and HailoRT", ("onnx", "tflite"), "none"),
    Runtime("rknn", "RKNN-Toolkit2 and its runtime", ("onnx", "tflite"), "processor"),
    Runtime("coreml-onnxruntime", "Core ML as execution provider of ONNX Runtime", ("onnx",), "processor"),
    Runtime("coreml-litert", "Core ML as LiteRT delegate", ("tflite",), "processor"),
    Runtime("neuropilot", "MediaTek NeuroPilot as LiteRT delegate", ("tflite",), "processor"),
    Runtime("enn", "Samsung ENN", ("tflite", "onnx"), "processor"),
    Runtime("vx-delegate", "VeriSilicon's VX delegate of LiteRT", ("tflite",), "processor"),
)
RUNTIMES: dict[RuntimeName, Runtime] = {runtime.name: runtime for runtime in _ALL}
RUNTIME_NAMES: tuple[RuntimeName, ...] = get_args(RuntimeName)
