"""Runs OpenVINO IR (also ONNX and TFLite files) with OpenVINO's CPU plugin. Needs only numpy and openvino."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov

from edgevit.backends.layout import fixed_shape, guess_layout
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec


class RuntimeSession:
    """An :class:`edgevit.backends.Session`; see :meth:`edgevit.backends.Backend.open_session` for the arguments."""

    def __init__(self, path: Path, threads: int, precision: str, batch: int = 1) -> None:
        if path.suffix == ".xml" and path.is_file() and b"<net" not in path.read_bytes()[:4096]:
            raise UsageError(f"{path} is not an OpenVINO IR", 'such a file is XML that begins with a "net" element')
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        core = ov.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UsageError("this processor has no bfloat16 arithmetic", "ask for f32, or fastest")
        if precision != "fastest":
            config["INFERENCE_PRECISION_HINT"] = precision  # the plugin's default is bf16 where the CPU has it
        try:
            self._compiled = core.compile_model(core.read_model(path), "CPU", config)
        except RuntimeError as error:
            raise UsageError(
                f"OpenVINO cannot load {path}: {_reason(error)}", "convert it again, with its .bin beside it"
            ) from error
        self._request = self._compiled.create_infer_request()
        self.inputs = tuple(_describe(port, path, batch) for port in self._compiled.inputs)
        self.outputs = tuple(_describe(port, path, batch) for port in self._compiled.outputs)
        self.runtime_version = ov.__version__.partition("-")[0]
        self.precision = str(self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self.delegate = "CPU plugin"
        self.threads = int(self._compiled.get_property("INFERENCE_NUM_THREADS"))  # no more than there are processors

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once on arrays of the shapes and dtypes of the inputs, see :meth:`edgevit.backends.Session.run`."""
        for place, feed in enumerate(feeds):  # infer() does the same, but checks everything again on each call
            self._request.set_input_tensor(place, ov.Tensor(np.ascontiguousarray(feed), shared_memory=True))
        self._request.start_async()
        self._request.wait()
        return tuple(np.array(self._request.get_output_tensor(place).data) for place in range(len(self.outputs)))


def _describe(port: ov.ConstOutput, path: Path, batch: int) -> TensorSpec:
    name = min(port.get_names(), default="")
    lengths = [None if length.is_dynamic else length.get_length() for length in port.partial_shape]
    shape = fixed_shape(lengths, name, path, batch)
    return TensorSpec(name, shape, np.dtype(port.element_type.to_dtype()).name, guess_layout(shape))


def _reason(error: RuntimeError) -> str:
    """Returns the last line that is not empty: OpenVINO writes positions in its source first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
