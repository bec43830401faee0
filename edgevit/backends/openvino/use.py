"""How OpenVINO IR is used with OpenVINO alone, as lines of a script."""

from __future__ import annotations

IMPORTS = "import openvino"

_LINES = """
def load_model():
    compiled = openvino.compile_model(MODEL, "CPU", PROPERTIES)
    return lambda pixels: compiled(pixels)[0][0]
"""


def loading_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``, see :meth:`edgevit.backends.Backend.loading_lines`."""
    hint = "" if precision == "fastest" else f', {{"INFERENCE_PRECISION_HINT": "{precision}"}}'
    return _LINES.replace(", PROPERTIES", hint).strip()
