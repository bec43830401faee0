"""Peak memory of an artifact: of its tensors, from their lifetimes, and of a process, from one measured on the host."""

from __future__ import annotations

import math

from edgevit.devices.device import Device, Unit
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.results.measurement import Interval, Measurement, MemoryEstimate, Prediction

_SPREAD = 1.5
"""Factor between the memory of a runtime on the host and on a device."""
_SCRATCH = {"float": 2.0, "int8": 3.7}
"""Largest factor between what a process was seen to take for a network and its weights, their copies and its activations:
rows of Nota-NetsPresso/netspresso-trainer for TensorFlow Lite on four Raspberry Pi boards, 0.8 to 2.0 for files with float
weights, 0.9 to 3.7 for int8 ones (MixNet, whose many small ops each have scratch memory)."""


def weights_bytes(graph: Graph) -> int:
    """Returns the size of all constants that ops read, as stored, in bytes."""
    read = {name for op in graph.ops for name in op.inputs}
    return sum(tensor.size_bytes for tensor in graph.tensors if tensor.constant and tensor.name in read)


def peak_activation_bytes(graph: Graph) -> int:
    """Returns the largest number of bytes that live activations take at any point of one inference.

    A tensor is live from the op that computes it to the last op that reads it, an input of the graph from the start, an
    output to the end. While an op runs, all its inputs and outputs are live. A "reshape" shares the memory of its input.
    Scratch memory inside ops, padding and fragmentation are not counted: this is a lower bound for any memory planner.
    Tensors count at the width that the file declares: a graph of quantize and dequantize pairs, which runtimes fuse,
    appears to need more than the same graph with int8 tensors.
    """
    shares: dict[str, str] = {}
    for op in graph.ops:
        if op.kind == "reshape" and len(op.outputs) == 1 and op.inputs and not graph.tensor[op.inputs[0]].constant:
            shares[op.outputs[0]] = shares.get(op.inputs[0], op.inputs[0])
    first: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[str, int] = {}
    for time, op in enumerate(graph.ops):
        for name in (*op.inputs, *op.outputs):
            if not graph.tensor[name].constant:
                owner = shares.get(name, name)
                first.setdefault(owner, time)
                last[owner] = time
    for name in graph.outputs:
        last[shares.get(name, name)] = max(len(graph.ops) - 1, 0)
    changes = [0] * (len(graph.ops) + 2)
    for name, start in first.items():
        size = graph.tensor[name].size_bytes
        changes[start] += size
        changes[last.get(name, start) + 1] -= size
    peak = live = 0
    for change in changes:
        live += change
        peak = max(peak, live)
    return peak


def peak_tensor_bytes(graph: Graph) -> int:
    """Returns weights plus peak activations in bytes, without the runtime's own memory."""
    return weights_bytes(graph) + peak_activation_bytes(graph)


def estimate_memory(graph: Graph, device: Device, unit: Unit) -> MemoryEstimate:
    """Predicts the memory of one inference on a unit, in bytes.

    The lower end is weights as stored and the activations that live at once. The upper end adds the copies that runtimes
    make of weights (expanded to the numbers they compute in, and packed for their kernels) and scratch memory. Both have
    the runtime's own memory where it is published for the unit.

    Args:
        graph: Ops of the artifact.
        device: That the unit belongs to.
        unit: That it would run on.
    """
    weights, activations = weights_bytes(graph), peak_activation_bytes(graph)
    runtime = unit.runtime_memory_bytes.value if unit.runtime_memory_bytes else None
    scratch = _SCRATCH["int8" if graph.int8_mac_share > 0.5 else "float"]
    most = scratch * (weights + _copies_bytes(graph) + activations)
    return MemoryEstimate(
        weights_bytes=weights,
        activation_bytes=activations,
        runtime_bytes=runtime,
        total_bytes=Interval(weights + activations + (runtime or 0), most + (runtime or 0)),
        memory_bytes=device.memory_bytes.value if device.memory_bytes else None,
        on_chip_bytes=unit.on_chip_memory_bytes.value if unit.on_chip_memory_bytes else None,
    )


def _copies_bytes(graph: Graph) -> int:
    """Copies of the weights of layers: expanded, where they are stored narrower than computed with, and packed."""
    layers = {tensor: op for op in graph.layers for name in op.inputs if (tensor := graph.tensor[name]).constant}
    return sum(_copy_bytes(tensor, op) for tensor, op in layers.items())


def _copy_bytes(tensor: Tensor, op: Op) -> int:
    computed = math.prod(tensor.shape) * (4 if op.numerics in ("float", "int8_weights") else 1)
    return computed if tensor.size_bytes >= computed else 2 * computed


def process_memory(prediction: Prediction, measurement: Measurement | None) -> Interval | None:
    """Predicts the peak resident memory of a process that runs an artifact on a device.

    The lower end is the tensors and the memory of the empty runtime on the host, by 1.5 less; the upper end what the
    whole process took on the host, by 1.5 more. The factor is assumed: it stands for other builds of Python and of the
    runtime, larger pages, and scratch memory of more threads.

    Args:
        prediction: For the device.
        measurement: Of the same artifact on the host; None where it was not measured.

    Returns:
        Bytes; None where the artifact does not run on the device's processor, or was not measured.
    """
    if measurement is None or not prediction.supported or prediction.unit != "cpu":
        return None
    peak, growth = measurement.peak_rss_bytes, measurement.rss_delta_bytes
    if peak is None or growth is None:
        return None
    runtime, tensors = peak - growth, prediction.peak_tensor_bytes
    return Interval(runtime / _SPREAD + tensors, _SPREAD * max(peak, runtime + tensors))
