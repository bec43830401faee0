"""Where the time that is predicted for an artifact goes, layer by layer, and what its unit can reach at most."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgevit.devices.artifact_latency import MeasuredGraph, arithmetic_of, artifact_latency
from edgevit.devices.calibrated_latency import CalibratedLatency, calibrated_latency, calibration_of
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.cost import op_costs, predict_latency, rests_on_measurements
from edgevit.devices.device import Device, Unit
from edgevit.devices.kernels import Kernel, KernelFamily
from edgevit.devices.op_support import runtime_of
from edgevit.results.graph import Graph, Op
from edgevit.results.layer_times import LayerTime, LayerTimes, Peak, Roofs
from edgevit.spec.recipe import OpKind

_BYTES = {"float32": 4, "float16": 2, "int16": 2, "int8": 1}
_KINDS: dict[KernelFamily, OpKind] = {
    "conv": "conv",
    "grouped": "conv",
    "depthwise": "depthwise_conv",
    "linear": "linear",
    "attention": "matmul",
    "normalization": "normalization",
    "softmax": "softmax",
    "activation": "activation",
    "elementwise": "elementwise",
    "pooling": "pooling",
    "layout": "layout",
}


def predict_layers(graph: Graph, device: Device, anchors: Sequence[MeasuredGraph] = ()) -> LayerTimes | None:
    """Predicts the time of each layer of an artifact, on the unit and from the evidence that its latency is predicted from.

    Args:
        graph: Ops of the artifact.
        device: Hardware facts.
        anchors: Artifacts that were measured on the device.

    Returns:
        Layers whose times and a constant part of the runtime add up to the predicted p50; None where no latency is
        predicted.
    """
    prediction = predict_latency(graph, device, anchors=anchors)
    unit = next(unit for unit in device.units if unit.name == prediction.unit)
    runtime = runtime_of(graph, unit)
    if prediction.latency_ms is None or runtime is None:
        return None
    p50 = prediction.latency_ms.p50
    calibration = calibration_of(unit, runtime.name)
    fitted = (
        artifact_latency(load_cost_model(), graph, device, unit, runtime.name)
        if calibration is None
        else calibrated_latency(graph, calibration)
    )
    if isinstance(fitted, CalibratedLatency) or rests_on_measurements(fitted, unit):
        scale = p50 / fitted.interval.p50
        ops = {op.name: op for op in graph.ops}
        layers = tuple(_of_kernel(kernel, ms * scale, ops[kernel.name], graph, unit) for kernel, ms in fitted.kernels)
    else:
        layers = _of_data_sheet(graph, device, unit, p50)
    return LayerTimes(
        device=device.name,
        unit=unit.name,
        source="predicted",
        p50_ms=p50,
        fastest_ms=None,
        basis=prediction.basis,
        layers=layers,
        roofs=roofs_of(device, unit),
    )


def roofs_of(device: Device, unit: Unit) -> Roofs | None:
    """Returns the peak rates of the arithmetics that a unit uses, with its bandwidth, or that of the device's memory.

    Returns:
        None where no such rate is known.
    """
    rates = {name: getattr(unit.peak_ops_per_second, name) for name in dict.fromkeys(unit.numerics.values())}
    peaks = tuple(Peak(name, rate.value) for name, rate in rates.items() if rate is not None)
    bandwidth = unit.memory_bandwidth_bytes_per_second or device.memory_bandwidth_bytes_per_second
    return Roofs(unit.title, peaks, bandwidth.value if bandwidth else None) if peaks else None


def _of_kernel(kernel: Kernel, ms: float, op: Op, graph: Graph, unit: Unit) -> LayerTime:
    arithmetic = arithmetic_of(kernel, unit)
    return LayerTime(
        name=kernel.name,
        native=op.native,
        kind=_KINDS[kernel.family],
        ms=ms,
        macs=kernel.macs,
        moved_bytes=_moved_bytes(kernel, op, graph, unit),
        arithmetic=arithmetic,
    )


def _moved_bytes(kernel: Kernel, op: Op, graph: Graph, unit: Unit) -> int:
    """Bytes of computed tensors, at the width that the unit keeps them in, and of weights as they are stored."""
    floats = _BYTES[unit.numerics.get("float", "float32")]
    width = {"int8_static": 1, "int16_static": 2}.get(kernel.numerics, floats)
    constants = [tensor for name in op.inputs if (tensor := graph.tensor[name]).constant and tensor.size_bytes]
    largest = max(constants, key=lambda tensor: math.prod(tensor.shape), default=None)
    stored = min(largest.size_bytes / math.prod(largest.shape), floats) if largest else 0.0
    return round(width * (kernel.read + kernel.written) + stored * kernel.weights)


def _of_data_sheet(graph: Graph, device: Device, unit: Unit, p50: float) -> tuple[LayerTime, ...]:
    """Ops by the roofline of the unit, scaled as the whole prediction is."""
    assert unit.roofline is not None  # without one, and without measurements, nothing is predicted
    whole = predict_latency(graph, device, unit=unit.name).latency_ms
    scale = p50 / whole.p50 if whole else 1.0
    return tuple(
        LayerTime(
            name=cost.op.name,
            native=cost.op.native,
            kind=cost.op.kind,
            ms=cost.ms * scale,
            macs=cost.op.macs,
            moved_bytes=round(cost.moved_bytes),
            arithmetic=unit.numerics[cost.op.numerics],
        )
        for cost in op_costs(graph, unit, unit.roofline)
    )
