"""LiteRT (formerly TensorFlow Lite) and its format, TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.backends import Session
    from edgevit.graph import Graph

NAME = "litert"
TITLE = "LiteRT"
FORMAT = "tflite"
SUFFIX = ".tflite"
RUNTIME = "ai-edge-litert"
SCHEMES = ("fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8")


def auto_schemes(transformer: bool) -> tuple[str, ...]:
    """XNNPACK has dynamic int8 for linear layers, and static int8 for convolutions but not for GELU or LayerNorm."""
    return ("dynamic_wi8_afp32", "static_wi8_ai8") if transformer else ("static_wi8_ai8", "dynamic_wi8_afp32")


def export_program(program: ExportedProgram, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.export import export

    return export(program, folder)


def quantize_artifact(
    parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path
) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.quantize import quantize

    return quantize(parent, scheme, calibration, transformer, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.litert.session import LiteRtSession

    return LiteRtSession(path, threads, precision)
