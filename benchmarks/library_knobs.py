"""What each library gives alone with the right settings, which its documentation leaves to be found; no rewrites, no tuning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.library_defaults import DEFAULTS, LibraryArtifact, LibraryJob


def make_with_knobs(job: LibraryJob) -> LibraryArtifact:
    """Quantizes, in a child process; the result of an earlier run of the benchmark is reused."""
    job.folder.mkdir(parents=True, exist_ok=True)
    path = job.folder / job.parent.name
    if not path.exists():
        MAKERS[job.name](job.parent, job.calibration.array(), path)
    return LibraryArtifact(path)


def _fused_dynamic(parent: Path, images: np.ndarray, path: Path) -> None:
    """Fuses GELU and LayerNorm with ONNX Runtime's transformer optimizer, then quantizes per channel.

    The optimizer finds no attention in what torch exports. Sums stay apart from LayerNorm: SkipLayerNormalization has a far
    slower kernel on processors.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("vit")
    options.enable_skip_layer_norm = False
    fused = optimize_model(str(parent), "vit", num_heads=0, hidden_size=0, optimization_options=options, opt_level=1)
    del fused.model.graph.value_info[:]  # else the quantizer finds the shapes of weights that it transposes untrue
    quantize_dynamic(
        fused.model, path, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip


def _static_per_channel(parent: Path, images: np.ndarray, path: Path, ops: list[str] | None = None) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter([{"input": image[None]} for image in images])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._feeds, None)

    prepared = path.with_name("prepared.onnx")
    quant_pre_process(parent, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, path, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8, op_types_to_quantize=ops,
    )  # fmt: skip
    prepared.unlink()


def _nncf_transformer(parent: Path, images: np.ndarray, path: Path) -> None:
    import nncf
    import openvino as ov

    dataset = nncf.Dataset([image[None] for image in images])
    quantized = nncf.quantize(ov.Core().read_model(parent), dataset, model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(quantized, path)


STATIC_PRODUCTS = "quantize_static(per_channel=True, uint8 × int8), MatMul, Gemm and Conv"
MAKERS: dict[str, Callable[[Path, np.ndarray, Path], None]] = {
    "transformer optimizer, quantize_dynamic(per_channel)": _fused_dynamic,
    "quantize_static(per_channel=True, uint8 × int8)": _static_per_channel,
    STATIC_PRODUCTS: functools.partial(_static_per_channel, ops=["MatMul", "Gemm", "Conv"]),
    "nncf.quantize(model_type=TRANSFORMER)": _nncf_transformer,
    **{name: make for makers in DEFAULTS.values() for name, make in makers.items()},
}
"""By the name in the table; the defaults are among them."""
KNOBS: dict[str, dict[str, str]] = {
    "vit_tiny_patch16_224": {
        "onnxruntime": "transformer optimizer, quantize_dynamic(per_channel)",
        "openvino": "nncf.quantize(model_type=TRANSFORMER)",
        "litert": "dynamic_wi8_afp32()",
    },
    "mobilenetv2_100": {
        "onnxruntime": "quantize_static(per_channel=True, uint8 × int8)",
        "openvino": "nncf.quantize()",
        "litert": "static_wi8_ai8()",
    },
}
"""The best that each library has for a model, by the model and the runtime."""
