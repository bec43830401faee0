"""Runs TFLite files in LiteRT with XNNPACK. Needs only numpy and ai-edge-litert, or the older tflite-runtime."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.layout import guess_layout
from edgevit.backends.litert.newer_ops import FORMER, refuse_wrong_ops, unknown_op
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec

try:
    from ai_edge_litert.interpreter import Interpreter

    _RUNTIME = "ai-edge-litert"
except ModuleNotFoundError as missing:  # boards that have only the runtime under its former name
    try:
        from tflite_runtime.interpreter import Interpreter
    except ModuleNotFoundError:
        raise missing from None

    _RUNTIME = FORMER


class RuntimeSession:
    """An :class:`edgevit.backends.Session`; see :meth:`edgevit.backends.Backend.open_session` for the arguments."""

    def __init__(self, path: Path, threads: int, precision: str, batch: int = 1) -> None:
        if precision == "bf16":
            raise UsageError("LiteRT does not compute in bfloat16 on processors", "ask for f32, or fastest")
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            for detail in self._interpreter.get_input_details():
                if batch != 1 and len(detail["shape_signature"]) and detail["shape_signature"][0] == -1:
                    self._interpreter.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            newer = unknown_op(error, path, _RUNTIME, version(_RUNTIME))
            if newer:
                raise newer from error
            raise UsageError(f"LiteRT cannot load {path}: {_reason(error)}", _hint(error)) from error
        refuse_wrong_ops(path, _RUNTIME, version(_RUNTIME))
        self._path = path
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input_places = [detail["index"] for detail in inputs]
        self._output_places = [detail["index"] for detail in outputs]
        self.inputs = tuple(_describe(detail) for detail in inputs)
        self.outputs = tuple(_describe(detail) for detail in outputs)
        self.runtime_version = version(_RUNTIME) + (f" ({FORMER})" if _RUNTIME == FORMER else "")
        self.precision = "f32"
        self.delegate = _delegate(self._interpreter)
        self.threads = threads

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once on arrays of the shapes and dtypes of the inputs, see :meth:`edgevit.backends.Session.run`.

        Raises:
            UsageError: the graph has an op that the runtime does not have, which some files show only when they run.
        """
        for place, feed in zip(self._input_places, feeds, strict=True):
            self._interpreter.set_tensor(place, feed)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise UsageError(f"LiteRT cannot run {self._path}: {_reason(error)}", _hint(error)) from error
        return tuple(self._interpreter.get_tensor(place) for place in self._output_places)


def _describe(detail: dict[str, Any]) -> TensorSpec:
    shape = tuple(int(length) for length in detail["shape"])
    dtype = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    quantized = dtype.kind in "iu" and scale != 0
    return TensorSpec(
        detail["name"],
        shape,
        dtype.name,
        guess_layout(shape),
        float(scale) if quantized else None,
        int(zero_point) if quantized else None,
    )


def _delegate(interpreter: Any) -> str:
    """Returns the delegate with its number of partitions, which are ops of their own after delegation."""
    partitions = sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    return f"XNNPACK, {partitions} partition{'' if partitions == 1 else 's'}" if partitions else "reference kernels"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _hint(error: Exception) -> str:
    if "Flex" in str(error) or "Select TensorFlow op" in str(error):
        return "the file needs TensorFlow's own (Flex) ops, which LiteRT leaves out: convert the model again with built-in ops only"
    return "is the file whole, and made for LiteRT? export it again"
