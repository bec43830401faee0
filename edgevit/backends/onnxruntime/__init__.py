"""ONNX Runtime and its format, ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.backends import Session
    from edgevit.graph import Graph

NAME = "onnxruntime"
TITLE = "ONNX Runtime"
FORMAT = "onnx"
SUFFIX = ".onnx"
RUNTIME = "onnxruntime"
SCHEMES = ("fp32", "dynamic_wi8_afp32", "static_wi8_ai8")
"""No fp16: the CPU provider has no float16 kernels and would cast back and forth."""


def auto_schemes(transformer: bool) -> tuple[str, ...]:
    """Static loses a vision transformer's accuracy; dynamic has no fast int8 convolution."""
    return ("dynamic_wi8_afp32", "static_wi8_ai8") if transformer else ("static_wi8_ai8", "dynamic_wi8_afp32")


def export_program(program: ExportedProgram, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.export import export

    return export(program, folder)


def quantize_artifact(
    parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path
) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.quantize import quantize

    return quantize(parent, scheme, calibration, transformer, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.onnxruntime.session import OnnxRuntimeSession

    return OnnxRuntimeSession(path, threads, precision)
