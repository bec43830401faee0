"""Runs ONNX files in ONNX Runtime, on the CPU unless another provider is asked for. Needs only numpy and onnxruntime."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as native

from edgevit.backends.layout import fixed_shape, guess_layout
from edgevit.backends.onnxruntime.providers import asked_provider, check_loaded, described, profile_of, providers_of
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec

_LOAD_ERRORS = (native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf, native.NoSuchFile,
                native.NotImplemented, native.RuntimeException, RuntimeError, ValueError)  # fmt: skip
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(uint16)": "uint16",
    "tensor(int16)": "int16",
    "tensor(uint32)": "uint32",
    "tensor(int32)": "int32",
    "tensor(uint64)": "uint64",
    "tensor(int64)": "int64",
}


class RuntimeSession:
    """An :class:`edgevit.backends.Session`; see :meth:`edgevit.backends.Backend.open_session` for the arguments."""

    def __init__(self, path: Path, threads: int, precision: str, batch: int = 1) -> None:
        if precision == "bf16":
            raise UsageError("ONNX Runtime does not compute in bfloat16 on processors", "ask for f32, or fastest")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        provider = asked_provider()
        chosen = providers_of(provider, ort.get_available_providers())
        try:
            with profile_of(options) if provider != "cpu" else nullcontext() as count:
                self._session = ort.InferenceSession(str(path), options, providers=chosen)
                check_loaded(provider, self._session.get_providers())
                self._describe_all(path, batch)
                nodes = {} if count is None else count(self._run_profiled())
        except _LOAD_ERRORS as error:
            raise UsageError(
                f"ONNX Runtime cannot load {path}: {str(error).strip().splitlines()[0]}",
                "export it again, or install the version of onnxruntime that it was made for",
            ) from error
        self.runtime_version = ort.__version__
        self.precision = "f32"  # the CPU and CUDA providers compute in the types of the graph
        self.delegate = described(provider, nodes)
        self.threads = threads

    def _describe_all(self, path: Path, batch: int) -> None:
        self.inputs = tuple(_describe(node, path, batch) for node in self._session.get_inputs())
        self.outputs = tuple(_describe(node, path, batch) for node in self._session.get_outputs())

    def _run_profiled(self) -> str:
        """Runs once on zeros, and returns the file that says which provider ran each node."""
        self.run(tuple(np.zeros(spec.shape, spec.dtype) for spec in self.inputs))
        return str(self._session.end_profiling())

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once on arrays of the shapes and dtypes of the inputs, see :meth:`edgevit.backends.Session.run`."""
        named = {spec.name: feed for spec, feed in zip(self.inputs, feeds, strict=True)}
        return tuple(self._session.run(None, named))


def _describe(node: ort.NodeArg, path: Path, batch: int) -> TensorSpec:
    lengths = [length if isinstance(length, int) else None for length in node.shape]
    shape = fixed_shape(lengths, node.name, path, batch)
    if node.type not in _DTYPES:
        kind = node.type.removeprefix("tensor(").rstrip(")")
        raise UsageError(
            f"{path}: {node.name} is {kind}, of which edgevit can make no values", "export it with a float32 input"
        )
    return TensorSpec(node.name, shape, _DTYPES[node.type], guess_layout(shape))
