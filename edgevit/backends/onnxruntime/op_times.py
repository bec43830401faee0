"""Time of each op under ONNX Runtime's own profiler, which writes a trace of every session."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edgevit.backends.onnxruntime.fused_ops import attribute
from edgevit.backends.onnxruntime.graph import data_inputs, family
from edgevit.backends.profiled_ops import ProfiledOp, add_up
from edgevit.results.op_times import OpTime
from edgevit.spec.recipe import OpKind

PROFILER = "ONNX Runtime's session profiler: each op; attention that is one op counts as matmul with its softmax"
_KERNEL = "_kernel_time"


def op_times(
    path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
) -> tuple[OpTime, ...]:
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
        kinds = _kinds(onnx.load(optimized).graph)
    return add_up(list(_inferences(trace, kinds))[inferences:])


def _inferences(trace: list[dict[str, Any]], kinds: dict[str, OpKind]) -> Iterator[list[ProfiledOp]]:
    """Yields the ops of each inference; the trace has an event after those of each."""
    ops: list[ProfiledOp] = []
    for event in sorted(trace, key=lambda event: event["ts"] + event["dur"]):
        if event["name"] == "model_run":
            yield ops
            ops = []
        elif event["cat"] == "Node" and event["name"].endswith(_KERNEL):
            native, name = event["args"]["op_name"], event["name"].removesuffix(_KERNEL)
            ops.append(ProfiledOp(native, kinds.get(name, family(native)), event["dur"]))


def _kinds(graph: onnx.GraphProto) -> dict[str, OpKind]:
    """Returns the family of each op that ONNX Runtime runs, by name."""
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    return {node.name: _kind(node, constants) for node in graph.node}


def _kind(node: onnx.NodeProto, constants: dict[str, tuple[int, ...]]) -> OpKind:
    kind = family(node.op_type)
    if kind not in ("conv", "matmul"):
        return kind
    factors = [constants.get(node.input[place], ()) for place in data_inputs(node.op_type)[:2]]
    if kind == "conv":
        return "depthwise_conv" if attribute(node, "group", 1) > 1 and factors[1][1:2] == (1,) else "conv"
    return "linear" if any(factors) and "Attention" not in node.op_type else "matmul"
