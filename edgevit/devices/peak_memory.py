"""Peak memory of an artifact: of its tensors, from their lifetimes, and of a process, from one measured on the host."""

from __future__ import annotations

from edgevit.results.graph import Graph
from edgevit.results.measurement import Interval, Measurement, Prediction

_SPREAD = 1.5
"""Factor between the memory of a runtime on the host and on a device."""


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
    runtime = measurement.peak_rss_bytes - measurement.rss_delta_bytes
    tensors = prediction.peak_tensor_bytes
    return Interval(runtime / _SPREAD + tensors, _SPREAD * max(measurement.peak_rss_bytes, runtime + tensors))
