"""How a TFLite file is used with LiteRT alone, as lines of a script."""

from __future__ import annotations

IMPORTS = """
try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:  # boards that have it under its former name
    from tflite_runtime.interpreter import Interpreter
""".strip()

_LINES = """
def load_model():
    interpreter = Interpreter(str(MODEL))
    interpreter.allocate_tensors()
    (given,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(pixels):
        if given["dtype"] != np.float32:  # integers in and out
            scale, zero = given["quantization"]
            limits = np.iinfo(given["dtype"])
            pixels = np.rint(pixels / np.float32(scale) + np.float32(zero)).clip(limits.min, limits.max)
        interpreter.set_tensor(given["index"], pixels.astype(given["dtype"]))
        interpreter.invoke()
        logits = interpreter.get_tensor(out["index"])[0].astype(np.float32)
        scale, zero = out["quantization"]
        return (logits - zero) * scale if scale else logits

    return run
"""

_OUTPUT_LINES = """
def load_model():
    interpreter = Interpreter(str(MODEL))
    interpreter.allocate_tensors()
    (given,), outs = interpreter.get_input_details(), interpreter.get_output_details()

    def real_values(out):
        values, (scale, zero) = interpreter.get_tensor(out["index"]).astype(np.float32), out["quantization"]
        return (values - zero) * scale if scale else values

    def run(pixels):
        if given["dtype"] != np.float32:  # integers in and out
            scale, zero = given["quantization"]
            limits = np.iinfo(given["dtype"])
            pixels = np.rint(pixels / np.float32(scale) + np.float32(zero)).clip(limits.min, limits.max)
        interpreter.set_tensor(given["index"], pixels.astype(given["dtype"]))
        interpreter.invoke()
        return [real_values(out) for out in outs]

    return run
"""


def loading_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``; the precision has no effect: the file's own numbers are used."""
    return _LINES.strip()


def output_lines(precision: str) -> str:
    """Returns the lines that define ``load_model``, see :meth:`edgevit.backends.Backend.output_lines`."""
    return _OUTPUT_LINES.strip()
