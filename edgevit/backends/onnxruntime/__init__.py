"""ONNX Runtime and its format, ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.quantization.policy import Rule
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS, Preparation

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.backends import Session
    from edgevit.results.graph import Graph
    from edgevit.spec.recipe import OpKind, Recipe

NAME = "onnxruntime"
TITLE = "ONNX Runtime"
FORMAT = "onnx"
SUFFIX = ".onnx"
RUNTIME = "onnxruntime"
SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "dynamic_wi8_afp32": ("linear",),
    "static_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "activation", "pooling", "reduction", "layout", "gather"),
    "mixed_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "activation", "pooling", "reduction", "layout", "gather"),
    "weight_only_wi8_afp32": ("linear",),
    "weight_only_wi4_afp32": ("linear",),
}
"""No fp16 and bf16: the CPU provider has no such kernels and would cast back and forth. No int16 activations: it
computes them in float. Dynamic convolutions (ConvInteger) are slower than float ones, so they stay float."""
_REWRITES: tuple[Preparation, ...] = (
    "class_token_only", "position_before_concat", "split_query_key_value", "split_massive_neurons",
)  # fmt: skip
POLICY = (
    Rule(
        "transformer", "cpu", ("dynamic_wi8_afp32", "static_wi8_ai8"), ("min_max", "mse", "percentile_99.999"),
        TRANSFORMER_FLOAT_KINDS,
        rewrites={"int8_dynamic": (*_REWRITES, "fused_ops"), "int8_static": _REWRITES},
        float_below_mac_share=0.001,
    ),
    Rule("transformer", "npu", ("static_wi8_ai8",), ("min_max", "mse", "percentile_99.999"), TRANSFORMER_FLOAT_KINDS),
    Rule(
        "cnn", "cpu", ("static_wi8_ai8", "dynamic_wi8_afp32"), ("mean_min_max", "mse", "percentile_99.999"),
        float_stem=True,
    ),
    Rule("cnn", "npu", ("static_wi8_ai8",), ("mean_min_max", "mse", "percentile_99.999")),
)  # fmt: skip
GPTQ_SCHEMES = ()
"""Its quantizer leaves GPTQ to neural-compressor, which is not among edgevit's libraries."""
HAS_INTEGER_IO = False


def export_program(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.export import export

    return export(program, folder, fused)


def quantize_artifact(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.quantize import quantize

    return quantize(parent, recipe, calibration, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.session import OnnxRuntimeSession

    return OnnxRuntimeSession(path, threads, precision)
