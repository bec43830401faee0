"""Time of each op under OpenVINO's own profiler, the performance counters of its CPU plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from edgevit.backends.openvino.graph import read_graph
from edgevit.backends.profiled_ops import ProfiledOp, add_up, leading_kind
from edgevit.results.op_times import OpTime
from edgevit.spec.recipe import OpKind

PROFILER = (
    "OpenVINO's performance counters: each op of the CPU plugin; ops that it runs as one (attention with softmax, GELU with"
    " the linear layer before it in a float file or with the rounding to int8) count to the family of most work"
)
_OF_PLUGIN: dict[str, OpKind] = {
    "FullyConnected": "linear",
    "FullyConnectedQuantizedLegacy": "linear",
    "MVN": "normalization",
    "Reorder": "layout",
    "Convert": "quantize",
    "FakeQuantize": "quantize",
    "Softmax": "softmax",
    "Transpose": "layout",
    "Concatenation": "layout",
    "Split": "layout",
    "Eltwise": "elementwise",
    "Subgraph": "elementwise",
}
"""Families of ops that the plugin makes itself, and of those whose type decides; the others have those of the file's ops."""
_FUSED = "undef"
"""Kernel of ops that run within another one."""
_NO_OPS = ("Parameter", "Result", "Input", "Output", "Const", "Constant")
_TYPE_DECIDES = ("FullyConnected", "FullyConnectedQuantizedLegacy", "MVN", "Reorder", "Transpose")


def op_times(
    path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
) -> tuple[OpTime, ...]:
    """Runs an artifact under the profiler on arrays of its inputs' shapes, see :meth:`edgevit.backends.Backend.op_times`."""
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERF_COUNT": True}
    if precision != "fastest":
        config["INFERENCE_PRECISION_HINT"] = precision
    core = ov.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", config)
    kinds = _kinds(compiled.get_runtime_model(), path)
    request = compiled.create_infer_request()
    measured = []
    for _ in range(2 * inferences):  # the first half warms up
        request.infer(list(feeds))
        measured.append(
            [
                _profiled(op, kinds)
                for op in request.profiling_info
                if op.exec_type != _FUSED and op.node_type not in _NO_OPS
            ]
        )
    return add_up(measured[inferences:])


def _profiled(op: Any, kinds: dict[str, OpKind]) -> ProfiledOp:
    kind = kinds.get(op.node_name, _OF_PLUGIN.get(op.node_type, "other"))
    return ProfiledOp(f"{op.node_type} {op.exec_type}", kind, op.real_time.total_seconds() * 1e6)


def _kinds(runtime_model: Any, path: Path) -> dict[str, OpKind]:
    """Returns the family of each op of the plugin, by name, as far as the ops of the file that it runs tell it."""
    of_file = {op.name: op.kind for op in read_graph(path).ops}
    kinds: dict[str, OpKind] = {}
    for node in runtime_model.get_ordered_ops():
        info = node.get_rt_info()
        native, originals = str(info["layerType"].value), str(info["originalLayersNames"].value)
        known = [of_file[name] for name in originals.split(",") if name in of_file]
        if native not in _TYPE_DECIDES and known:
            kinds[node.get_friendly_name()] = leading_kind(known)
    return kinds
