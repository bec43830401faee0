"""Time of each op under ONNX Runtime's own profiler, which writes a trace of every session."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edgevit.backends.onnxruntime.graph import family, weights_position
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
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "trace")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        named = {given.name: feed for given, feed in zip(session.get_inputs(), feeds, strict=True)}
        for _ in range(2 * inferences):  # the first half warms up
            session.run(None, named)
        trace = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return add_up(list(_inferences(trace))[inferences:])


def _inferences(trace: list[dict[str, Any]]) -> Iterator[list[ProfiledOp]]:
    """Yields the ops of each inference; the trace has an event after those of each."""
    ops: list[ProfiledOp] = []
    for event in sorted(trace, key=lambda event: event["ts"] + event["dur"]):
        if event["name"] == "model_run":
            yield ops
            ops = []
        elif event["cat"] == "Node" and event["name"].endswith(_KERNEL):
            native = event["args"]["op_name"]
            ops.append(ProfiledOp(native, _kind(native, event["args"]), event["dur"]))


def _kind(native: str, given: dict[str, Any]) -> OpKind:
    """Returns the family of an op, given what the trace says of its inputs."""
    kind = family(native)
    if kind == "conv":
        shapes = [shape for entry in given["input_type_shape"] for shape in entry.values()]
        weights = shapes[weights_position(native)]
        return "depthwise_conv" if weights[0] > 1 and weights[1] == 1 else "conv"
    if kind == "matmul" and "Attention" not in native and int(given["parameter_size"]) > 0:
        return "linear"
    return kind
