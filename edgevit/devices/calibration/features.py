"""What a graph asks of a processor, in the terms that a calibration gives costs to.

Finer than the features of the published cost model: a host's own measurements tell what tables of whole networks cannot.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from edgevit.devices.calibration.reorders import reorders
from edgevit.devices.calibration.sums import fused_sums
from edgevit.devices.kernels import Kernel, kernels
from edgevit.results.graph import Graph

CONSTANT = "constant"
_LANES = 16
"""Channels that vector kernels make at a time."""
_GELU, _SIGMOID, _HARD = "gelu", "sigmoid", "hard"
_GATES = {
    **dict.fromkeys(("gelu", "fastgelu", "biasgelu", "quickgelu", "erf"), _GELU),
    **dict.fromkeys(("sigmoid", "logistic", "silu", "swish", "tanh", "qlinearsigmoid", "mish", "softplus"), _SIGMOID),
    **dict.fromkeys(("hardswish", "hswish", "hardsigmoid", "hsigmoid"), _HARD),
}
_PREFIX = {"int8_static": "int8 ", "int8_dynamic": "dynamic "}
"""Of the names of features of kernels that compute in int8."""
_FAST = "fast "
"""Of the names of features of float kernels in a file whose floats a runtime may compute in its fastest precision."""


def graph_features(graph: Graph) -> dict[str, float]:
    """Returns the value of each feature that is not 0.

    Args:
        graph: Ops of an artifact.
    """
    total: dict[str, float] = defaultdict(float)
    for _, found in features_of_kernels(graph):
        for name, value in found.items():
            total[name] += value
    floats = float_prefix(graph)
    for name, value in _op_features(graph, floats):
        total[name] += value
    for numerics, values in reorders(graph):
        prefix = _PREFIX.get(numerics, floats)
        total[f"{prefix}moved reorder"] += values
        total[f"{prefix}kernels reorder"] += 1.0
    total[CONSTANT] = 1.0
    return {name: value for name, value in total.items() if value}


def features_of_kernels(graph: Graph) -> list[tuple[Kernel, dict[str, float]]]:
    """Returns the kernels of a graph, each with its features that are not those of single ops."""
    floats, ops = float_prefix(graph), {op.name: op for op in graph.ops}
    rounded = {name for op in graph.ops if op.native == "QuantizeLinear" for name in op.inputs}
    sums = fused_sums(graph)
    found = []
    for kernel in kernels(graph):
        if kernel.family == "pooling" and kernel.light:
            op = ops[kernel.name]
            kind = "max pooling" if "max" in op.native.lower() else "average pooling"
            # ONNX Runtime rounds before a maximum what is rounded after it
            int8 = kernel.numerics in _PREFIX or (kind == "max pooling" and not rounded.isdisjoint(op.outputs))
            prefix = _PREFIX["int8_static"] if int8 else floats
            moved = float(kernel.read + kernel.written)
            found.append((kernel, {f"{prefix}moved {kind}": moved, f"{prefix}kernels pooling": 1.0}))
        elif kernel.name in sums:
            prefix, moved = _PREFIX.get(kernel.numerics, floats), float(kernel.read + kernel.written)
            found.append((kernel, {f"{prefix}moved sum": moved, f"{prefix}kernels sum": 1.0}))
        else:
            found.append((kernel, kernel_features(kernel, floats)))
    return found


def float_prefix(graph: Graph) -> str:
    """Returns what the names of features of a graph's float kernels begin with."""
    return _FAST if graph.format == "xml" and graph.numerics != "float" else ""


def kernel_features(kernel: Kernel, float_prefix: str) -> dict[str, float]:
    """Returns the features of one kernel.

    Args:
        kernel: Of a graph.
        float_prefix: Of that graph.
    """
    prefix = _PREFIX.get(kernel.numerics, float_prefix)
    return {f"{prefix}{name}": value for name, value in _features(kernel).items()}


def _features(kernel: Kernel) -> dict[str, float]:
    moved = float(kernel.read + kernel.written)
    family = kernel.family
    if family in ("conv", "grouped"):
        return _convolution(kernel)
    if family == "depthwise":
        size = 3 if kernel.window <= 3 else 5 if kernel.window <= 5 else 7
        name = f"depthwise {size}" + (" strided" if kernel.stride > 1 else "")
        return {f"macs {name}": kernel.macs, "moved depthwise": moved, "kernels depthwise": 1.0}
    if family == "linear":
        return _linear(kernel)
    if family == "attention":
        return {"macs attention": kernel.macs, "moved attention": moved, "kernels attention": 1.0}
    if family == "activation":
        kind = "light" if kernel.light else "heavy"
        return {f"moved {kind} activation": moved, "kernels pointwise": 1.0}
    if family == "pooling":
        return {"moved global pooling": moved, "kernels pooling": 1.0}
    return {f"moved {family}": moved, f"kernels {family}": 1.0}


def _convolution(kernel: Kernel) -> dict[str, float]:
    into, out = kernel.channels
    if kernel.family == "grouped":
        name = f"grouped {next(width for width in (16, 8, 1) if into % width == 0)}"
    elif into <= 4:
        name = "stem"
    elif kernel.window == 1:
        name = "1x1"
    else:
        name = "3x3" if (kernel.window, kernel.stride) == (3, 1) else "kxk"
    padded = kernel.macs * _padded(out) / out
    kind = "1x1" if name == "1x1" else "conv"
    return {
        f"macs {name}": padded if name == "stem" else kernel.macs,
        f"macs {kind} padded": padded,
        f"read {kind}": float(kernel.read),
        f"written {kind}": float(kernel.written),
        "weights conv": float(kernel.weights),
        f"kernels {kind}": 1.0,
    }


def _linear(kernel: Kernel) -> dict[str, float]:
    if kernel.macs <= kernel.weights:
        return {"weights classifier": float(kernel.weights), "kernels linear": 1.0}
    return {
        "macs linear": kernel.macs,
        "read linear": float(kernel.read),
        "written linear": float(kernel.written),
        "weights linear": float(kernel.weights),
        "kernels linear": 1.0,
    }


def _padded(channels: int) -> int:
    return math.ceil(channels / _LANES) * _LANES


def _op_features(graph: Graph, floats: str) -> Iterator[tuple[str, float]]:
    """Yields what ops ask that is part of no kernel: gates by kind, padding, and conversions between numbers."""
    made_in: dict[str, bool] = {}
    """Whether each computed tensor comes from an op that computes in int8."""
    for op in graph.ops:
        data = [name for name in op.inputs if not graph.tensor[name].constant]
        native = op.native.lower().replace("_", "")
        values = sum(math.prod(graph.tensor[name].shape) for name in op.outputs)
        int8 = op.numerics in _PREFIX
        if op.kind in ("quantize", "reshape"):
            made_in.update(dict.fromkeys(op.outputs, made_in.get(data[0], False) if data else False))
            continue
        prefix = _PREFIX.get(op.numerics, floats)
        if native in _GATES:
            yield f"{prefix}gates {_GATES[native]}", values
            yield f"{prefix}kernels gates", 1.0
        if native.startswith("pad"):
            yield f"{prefix}moved padding", 2.0 * values
        if native == "relu":
            yield f"{prefix}relu", values
        elif op.kind in ("elementwise", "activation") and len(set(data)) == 1:
            yield f"{prefix}pointwise", values
            yield f"{prefix}pointwise ops", 1.0
        for name in set(data):
            if name in made_in and made_in[name] != int8:
                yield "moved conversion", float(math.prod(graph.tensor[name].shape))
        if op.numerics == "int8_dynamic":
            yield "dynamic conversion", float(math.prod(graph.tensor[data[0]].shape))
        made_in.update(dict.fromkeys(op.outputs, int8 and op.numerics != "int8_dynamic"))
