"""How OpenVINO IR is used with OpenVINO alone, as lines of a script."""

from __future__ import annotations

IMPORTS = "import openvino"

_LINES = """
def load_model():
    compiled = openvino.compile_model(MODEL, "CPU", PROPERTIES)
    return lambda pixels: compiled(pixels)[0][0]
"""

_OUTPUT_LINES = """
def load_model():
    compiled = openvino.compile_model(MODEL, "CPU", PROPERTIES)
    return lambda pixels: list(compiled(pixels).values())
"""


def loading_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``, see :meth:`edgevit.backends.Backend.loading_lines`."""
    return _with_precision(_LINES, precision)


def output_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``, see :meth:`edgevit.backends.Backend.output_lines`."""
    return _with_precision(_OUTPUT_LINES, precision)


def _with_precision(lines: str, precision: str) -> str:
    hint = "" if precision == "fastest" else f', {{"INFERENCE_PRECISION_HINT": "{precision}"}}'
    return lines.replace(", PROPERTIES", hint).strip()
