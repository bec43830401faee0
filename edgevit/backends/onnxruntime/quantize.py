"""Quantizes ONNX with ONNX Runtime's own quantizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgevit.backends.onnxruntime.outliers import find_outlier_layers

_LINEAR = ("MatMul", "Gemm")


def quantize(parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path) -> Path:
    """Writes ``model.onnx`` in another scheme; see :class:`edgevit.backends.Backend` for the arguments."""
    path = folder / "model.onnx"
    if scheme == "dynamic_wi8_afp32":
        _quantize_dynamic(parent, calibration, path)
    elif calibration is None:
        raise ValueError(f"{scheme} needs calibration images")
    else:
        _quantize_static(parent, calibration, transformer, path)
    return path


def _quantize_dynamic(parent: Path, calibration: np.ndarray | None, path: Path) -> None:
    """Per-channel int8 weights of linear layers; convolutions stay float, for ConvInteger is slower than Conv.

    Where there are images, linear layers that a single outlier token would spoil stay float too.
    """
    model = _without_stale_shapes(onnx.load(parent))
    outliers = find_outlier_layers(model, calibration) if calibration is not None else []
    quantize_dynamic(
        model, path, op_types_to_quantize=list(_LINEAR), per_channel=True, weight_type=QuantType.QInt8,
        nodes_to_exclude=outliers,
    )  # fmt: skip


def _without_stale_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drops the shapes that torch's exporter notes for weights: the quantizer transposes weights and then trips over them."""
    weights = {initializer.name for initializer in model.graph.initializer}
    kept = [info for info in model.graph.value_info if info.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    return model


def _quantize_static(parent: Path, calibration: np.ndarray, transformer: bool, path: Path) -> None:
    """QDQ with uint8 activations and per-channel int8 weights.

    Ranges are the mean of the images' minima and maxima, which one odd image cannot widen; the logits stay float,
    for clipping them so would decide between classes. A transformer keeps all but its linear layers in float.
    """
    prepared = path.with_name("prepared.onnx")
    quant_pre_process(parent, prepared, skip_symbolic_shape=True)
    op_types = [*_LINEAR, "Conv"] if transformer else None
    model = onnx.load(prepared)
    prepared.unlink()
    quantize_static(
        model,
        path,
        _Images(model.graph.input[0].name, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=op_types,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        calibration_providers=["CPUExecutionProvider"],
        extra_options={"CalibMovingAverage": True, "OpTypesToExcludeOutputQuantization": list(_LINEAR)},
    )


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Feeds calibration images one by one."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self._feeds = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Returns the next feed, or None after the last."""
        return next(self._feeds, None)
