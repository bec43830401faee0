"""Time of each op under ONNX Runtime's own profiler, which writes a trace of every session."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edgevit.backends.onnxruntime.fused_ops import attribute
from edgevit.backends.onnxruntime.graph import data_inputs, family, read_graph
from edgevit.backends.profiled_ops import shortest
from edgevit.errors import OpenShapes
from edgevit.results.graph import size_bytes
from edgevit.results.layer_times import LayerTime
from edgevit.spec.recipe import OpKind

PROFILER = "ONNX Runtime's session profiler: each op; attention that is one op counts as matmul with its softmax"
_KERNEL = "_kernel_time"
_DTYPES = {"float": "float32", "double": "float64"}
"""Where onnx and numpy differ."""
_INT8 = ("int8", "uint8")


def op_times(
    path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
) -> tuple[LayerTime, ...]:
    """Runs an artifact under the profiler on arrays of its inputs' shapes, see :meth:`edgevit.backends.Backend.op_times`."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "trace")
        options.optimized_model_filepath = str(optimized)  # the trace does not say which inputs are weights
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        named = {given.name: feed for given, feed in zip(session.get_inputs(), feeds, strict=True)}
        for _ in range(2 * inferences):  # the first half warms up
            session.run(None, named)
        trace = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        ran = _Optimized(onnx.load(optimized, load_external_data=False).graph, _macs_of_file(path))
    return shortest(list(_inferences(trace, ran))[inferences:])


def _macs_of_file(path: Path) -> dict[str, int]:
    """MACs of the products of a file by the op's name, as far as its shapes tell them."""
    try:
        return {op.name: op.macs for op in read_graph(path).ops if op.macs}
    except OpenShapes:
        return {}


class _Optimized:
    """The graph that ONNX Runtime runs, whose ops the trace names."""

    def __init__(self, graph: onnx.GraphProto, macs_of_file: dict[str, int]) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._macs_of_file = macs_of_file

    def layer(self, event: dict[str, Any]) -> LayerTime:
        """Reads one event of the trace."""
        name, found = event["name"].removesuffix(_KERNEL), event["args"]
        native, node = found["op_name"], self._nodes.get(name)
        kind = self._kind(node) if node else family(native)
        weights = [self._constants[each] for each in (node.input if node else ()) if each in self._constants]
        return LayerTime(
            name=name,
            native=native,
            kind=kind,
            ms=event["dur"] / 1000,
            macs=self._macs(name, kind, node, found),
            moved_bytes=int(found["activation_size"]) + int(found["output_size"]) + sum(map(_size, weights)),
            arithmetic=_arithmetic(native, found),
        )

    def _shape(self, name: str) -> tuple[int, ...]:
        """That of a constant; () for others."""
        return tuple(self._constants[name].dims) if name in self._constants else ()

    def _kind(self, node: onnx.NodeProto) -> OpKind:
        kind = family(node.op_type)
        if kind not in ("conv", "matmul"):
            return kind
        factors = [self._shape(node.input[place]) for place in data_inputs(node.op_type)[:2]]
        if kind == "conv":
            return "depthwise_conv" if attribute(node, "group", 1) > 1 and factors[1][1:2] == (1,) else "conv"
        return "linear" if any(factors) and "Attention" not in node.op_type else "matmul"

    def _macs(self, name: str, kind: OpKind, node: onnx.NodeProto | None, found: dict[str, Any]) -> int | None:
        """MACs of an op: as the file has it, else from the shapes that it ran with."""
        if kind not in ("conv", "depthwise_conv", "linear", "matmul"):
            return 0
        if name in self._macs_of_file:
            return self._macs_of_file[name]
        shapes = [next(iter(typed.values())) for key in ("input", "output") for typed in found[f"{key}_type_shape"][:1]]
        if node is None or len(shapes) < 2 or node.op_type == "ConvTranspose" or "Attention" in node.op_type:
            return None
        data, made = shapes
        if kind in ("linear", "matmul"):
            return math.prod(made) * data[-1] if data and not attribute(node, "transA", 0) else None
        weights = self._shape(node.input[data_inputs(node.op_type)[1]])  # [out, in / groups, ...]
        return math.prod(made) * math.prod(weights[1:]) if weights else None


def _inferences(trace: list[dict[str, Any]], ran: _Optimized) -> Iterator[list[LayerTime]]:
    """Yields the ops of each inference; the trace has an event after those of each."""
    layers: list[LayerTime] = []
    for event in sorted(trace, key=lambda event: event["ts"] + event["dur"]):
        if event["name"] == "model_run":
            yield layers
            layers = []
        elif event["cat"] == "Node" and event["name"].endswith(_KERNEL):
            layers.append(ran.layer(event))


def _size(tensor: onnx.TensorProto) -> int:
    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    return size_bytes(tuple(tensor.dims), _DTYPES.get(dtype, dtype))


def _arithmetic(native: str, found: dict[str, Any]) -> str:
    """Number format of an op: that of its first input, but for products that round it themselves."""
    if native == "DynamicQuantizeMatMul":
        return "int8"
    dtype = next((name for typed in found["input_type_shape"][:1] for name in typed), "")
    return "int8" if dtype in _INT8 else _DTYPES.get(dtype, dtype)
