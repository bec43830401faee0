"""How an ONNX file is used with ONNX Runtime alone, as lines of a script."""

from __future__ import annotations

IMPORTS = "import onnxruntime"

_LINES = """
def load_model():
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0][0]
"""

_OUTPUT_LINES = """
def load_model():
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})
"""


def loading_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``; the precision has no effect: the file's own numbers are used."""
    return _LINES.strip()


def output_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``, see :meth:`edgevit.backends.Backend.output_lines`."""
    return _OUTPUT_LINES.strip()
