"""LiteRT (formerly TensorFlow Lite) and its format, TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.quantization.policy import Rule
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.backends import Session
    from edgevit.results.graph import Graph
    from edgevit.spec.recipe import OpKind, Recipe

_STATIC: tuple[OpKind, ...] = (
    *LAYER_KINDS, "matmul", "elementwise", "activation", "softmax", "normalization", "reduction", "pooling", "reshape", "layout",
    "gather",
)  # fmt: skip

NAME = "litert"
TITLE = "LiteRT"
FORMAT = "tflite"
SUFFIX = ".tflite"
RUNTIME = "ai-edge-litert"
SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "fp16": LAYER_KINDS,
    "dynamic_wi8_afp32": LAYER_KINDS,
    "static_wi8_ai8": _STATIC,
    "mixed_wi8_ai8": _STATIC,
    "static_wi8_ai16": _STATIC,
    "weight_only_wi8_afp32": LAYER_KINDS,
    "weight_only_wi4_afp32": LAYER_KINDS,
}
POLICY = (
    Rule(
        "transformer", "cpu", ("dynamic_wi8_afp32", "static_wi8_ai8"), ("min_max", "mse", "percentile_99.999"),
        TRANSFORMER_FLOAT_KINDS, rewrites={"int8_dynamic": ("class_token_only", "patches_as_linear", "explicit_attention")},
    ),
    Rule("transformer", "npu", ("static_wi8_ai8", "static_wi8_ai16", "fp16"), ("min_max", "mse", "percentile_99.999")),
    Rule("cnn", "cpu", ("static_wi8_ai8", "dynamic_wi8_afp32"), ("mean_min_max", "mse", "percentile_99.999")),
    Rule("cnn", "npu", ("static_wi8_ai8", "static_wi8_ai16"), ("mean_min_max", "mse", "percentile_99.999")),
)  # fmt: skip
"""XNNPACK has dynamic int8 for linear layers, and static int8 for convolutions but not for GELU or LayerNorm."""
GPTQ_SCHEMES = ("weight_only_wi4_afp32",)
HAS_INTEGER_IO = True


def export_program(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.export import export

    return export(program, folder)


def quantize_artifact(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.quantize import quantize

    return quantize(parent, recipe, calibration, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.session import LiteRtSession

    return LiteRtSession(path, threads, precision)
