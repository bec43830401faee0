"""OpenVINO and its format, IR (an .xml and a .bin)."""

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

NAME = "openvino"
TITLE = "OpenVINO"
FORMAT = "openvino"
SUFFIX = ".xml"
RUNTIME = "openvino"
SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "fp16": LAYER_KINDS,
    "bf16": (*LAYER_KINDS, "matmul", "elementwise", "activation", "softmax", "normalization", "reduction", "pooling"),
    "static_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "pooling"),
    "mixed_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "pooling"),
    "weight_only_wi8_afp32": LAYER_KINDS,
    "weight_only_wi4_afp32": LAYER_KINDS,  # NNCF gives convolutions int8 weights
}
"""No dynamic: the CPU plugin quantizes activations at run time for weight-compressed language models only."""
POLICY = (
    Rule(
        "transformer",
        "cpu",
        ("static_wi8_ai8", "bf16"),
        ("mean_min_max", "min_max", "mse", "percentile_99.999"),
        TRANSFORMER_FLOAT_KINDS,
        rewrites={
            "int8_static": ("class_token_only", "split_massive_neurons", "explicit_attention", "polynomial_gelu")
        },
        float_below_mac_share=0.001,
    ),
    Rule("cnn", "cpu", ("static_wi8_ai8", "bf16"), ("mean_min_max", "min_max", "mse", "percentile_99.999")),
)
GPTQ_SCHEMES = ("weight_only_wi4_afp32",)
HAS_INTEGER_IO = False


def export_program(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.export import export

    return export(program, folder)


def quantize_artifact(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.quantize import quantize

    return quantize(parent, recipe, calibration, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.session import OpenVinoSession

    return OpenVinoSession(path, threads, precision)
