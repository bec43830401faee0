"""OpenVINO and its format, IR (an .xml and a .bin)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.backends import Session
    from edgevit.graph import Graph

NAME = "openvino"
TITLE = "OpenVINO"
FORMAT = "openvino"
SUFFIX = ".xml"
RUNTIME = "openvino"
SCHEMES = ("fp32", "fp16", "static_wi8_ai8")
"""No dynamic: the CPU plugin quantizes activations at run time for weight-compressed language models only."""


def auto_schemes(transformer: bool) -> tuple[str, ...]:
    """NNCF's static int8 serves both kinds of network; how it quantizes depends on the kind."""
    return ("static_wi8_ai8",)


def export_program(program: ExportedProgram, folder: Path) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.export import export

    return export(program, folder)


def quantize_artifact(
    parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path
) -> Path:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.quantize import quantize

    return quantize(parent, scheme, calibration, transformer, folder)


def read_graph(path: Path) -> Graph:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.graph import read_graph

    return read_graph(path)


def open_session(path: Path, threads: int, precision: str) -> Session:
    """See :class:`edgevit.backends.Backend`."""
    from edgevit.backends.openvino.session import OpenVinoSession

    return OpenVinoSession(path, threads, precision)
