"""Time of each op under OpenVINO's own profiler, the performance counters of its CPU plugin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from edgevit.backends.openvino.graph import read_graph
from edgevit.backends.profiled_ops import leading_kind, shortest
from edgevit.results.layer_times import LayerTime
from edgevit.spec.recipe import OpKind

PROFILER = (
    "OpenVINO's performance counters: each op of the CPU plugin, as the shortest mean over a stretch of inferences, for the"
    " counters are running means; ops that it runs as one (attention with softmax, GELU with"
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
_PRODUCTS: tuple[OpKind, ...] = ("conv", "depthwise_conv", "linear", "matmul")
_ARITHMETICS = {
    **dict.fromkeys(("i8", "u8"), "int8"), **dict.fromkeys(("f32", "fp32"), "float32"),
    **dict.fromkeys(("f16", "fp16"), "float16"), "bf16": "bfloat16",
}  # fmt: skip
"""By the end of a kernel's name, such as "brgemm_avx512_I8"."""
_TYPE_DECIDES = ("FullyConnected", "FullyConnectedQuantizedLegacy", "MVN", "Reorder", "Transpose")


def op_times(
    path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
) -> tuple[LayerTime, ...]:
    """Runs an artifact under the profiler on arrays of its inputs' shapes, see :meth:`edgevit.backends.Backend.op_times`."""
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERF_COUNT": True}
    if precision != "fastest":
        config["INFERENCE_PRECISION_HINT"] = precision
    core = ov.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", config)
    ops = _ops(compiled.get_runtime_model(), path)
    request = compiled.create_infer_request()
    found = []
    ends = _ends(2 * inferences)
    for count in range(1, ends[-1] + 1):
        request.infer(list(feeds))
        if count in ends:
            found.append(_Means(count, [_profiled(op, ops) for op in request.profiling_info if _is_op(op)]))
    return shortest([_between(first, last) for first, last in pairwise(found)])


def _ends(inferences: int) -> list[int]:
    """Returns the inferences, counted from 1, that stretches end with: each about twice as long as the one before.

    The longer the running mean, the more its cut-off microsecond stands for.
    """
    return sorted({max(1, inferences // part) for part in (32, 16, 8, 4, 2, 1)} | {1})


@dataclass(frozen=True)
class _Means:
    """What the counters said after an inference: means over all inferences so far, in whole microseconds."""

    count: int
    layers: list[LayerTime]


def _between(first: _Means, last: _Means) -> list[LayerTime]:
    """Returns the means over the inferences after ``first``: the very first one prepares weights, and takes far longer."""
    count = last.count - first.count
    times = [
        (last.count * after.ms - first.count * before.ms) / count
        for before, after in zip(first.layers, last.layers, strict=True)
    ]
    # what takes less than a microsecond may come out negative, for means are cut off
    return [replace(layer, ms=max(0.0, ms)) for layer, ms in zip(last.layers, times, strict=True)]


def _is_op(found: Any) -> bool:
    return found.exec_type != _FUSED and found.node_type not in _NO_OPS


@dataclass(frozen=True)
class _Op:
    """What is known of an op of the plugin before it runs."""

    kind: OpKind | None
    """None where the plugin's own name decides."""
    macs: int
    """Of the file's ops that it runs."""
    moved_bytes: int


def _profiled(found: Any, ops: dict[str, _Op]) -> LayerTime:
    op = ops.get(found.node_name, _Op(None, 0, 0))
    kind = op.kind or _OF_PLUGIN.get(found.node_type, "other")
    return LayerTime(
        name=found.node_name,
        native=f"{found.node_type} {found.exec_type}",
        kind=kind,
        ms=found.real_time.total_seconds() * 1e3,
        macs=op.macs or (None if kind in _PRODUCTS else 0),
        moved_bytes=op.moved_bytes or None,
        arithmetic=_ARITHMETICS.get(found.exec_type.rpartition("_")[2].lower(), ""),
    )


def _ops(runtime_model: Any, path: Path) -> dict[str, _Op]:
    """Returns the ops of the plugin by name, with what the ops of the file that they run tell."""
    graph = read_graph(path)
    of_file = {op.name: op for op in graph.ops}
    maker = {name: op for op in graph.ops for name in op.outputs}
    nodes = runtime_model.get_ordered_ops()
    runs = {node.get_friendly_name(): [of_file[name] for name in _originals(node) if name in of_file] for node in nodes}
    named = {op.name for known in runs.values() for op in known}
    ops: dict[str, _Op] = {}
    for node in nodes:
        known = runs[node.get_friendly_name()]
        native = str(node.get_rt_info()["layerType"].value)
        kind = leading_kind(op.kind for op in known) if native not in _TYPE_DECIDES and known else None
        # a linear layer with a bias has the name of the addition alone
        unnamed = {made.name: made for op in known for name in op.inputs if (made := maker.get(name)) is not None}
        macs = sum(op.macs for op in known) or sum(op.macs for name, op in unnamed.items() if name not in named)
        ports = (*node.inputs(), *node.outputs())
        ops[node.get_friendly_name()] = _Op(kind, macs, sum(map(_size, ports)))
    return ops


def _originals(node: Any) -> list[str]:
    """Names of the file's ops that an op of the plugin runs."""
    return str(node.get_rt_info()["originalLayersNames"].value).split(",")


def _size(port: Any) -> int:
    """Bytes of the tensor at a port; 0 where its shape is open."""
    shape = port.get_partial_shape()
    return 0 if shape.is_dynamic else math.ceil(math.prod(shape.to_shape()) * port.get_element_type().bitwidth / 8)
