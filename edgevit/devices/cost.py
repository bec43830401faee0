"""Predicts latency on a device: from published measurements of its unit or of ones like it, else from its data sheet.

How measurements are used is in ``artifact_latency``. From the data sheet it is a roofline for each op, summed. For each
op, with the peak rate ``P`` (operations per second) of the arithmetic it runs in, the published share ``e`` of it that
its family reaches, and the reached bandwidth ``B`` (bytes per second):

    seconds = max(2 * MACs / (P * e), bytes moved / B) + overhead

and the predicted median is their sum (Williams, Waterman and Patterson, "Roofline", CACM 2009, with efficiencies).

Bytes moved are the computed tensors that an op reads and writes, at the width the unit computes in (one byte for static
int8), and its weights as stored. "reshape", "constant" and "quantize" ops, and an activation that is the only reader of
the result of an op with MACs, are assumed to be fused: they cost nothing. A unit with on-chip memory keeps activations
there, and as many weights as fit: then an op moves the share of its weights that does not fit over all ops, and the
inputs and outputs of the graph cross its link once.

A unit for which too little is published has no roofline, and no latency is predicted there.

Data-sheet rooflines are wrong by a factor of 1.5 to 6, which differs between models on one device, hence the interval.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgevit.devices.anchors import Points, condition, joined
from edgevit.devices.artifact_latency import ArtifactLatency, MeasuredGraph, artifact_latency
from edgevit.devices.calibrated_latency import calibrated_latency, calibration_of
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.device import Device, Efficiency, Roofline, Unit
from edgevit.devices.evidence import Configuration
from edgevit.devices.interval_table import Regime
from edgevit.devices.op_support import accepts, runtime_of, unsupported_ops
from edgevit.devices.peak_memory import peak_tensor_bytes
from edgevit.devices.runtimes import RUNTIMES
from edgevit.errors import unknown_name
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.results.measurement import LatencyInterval, Prediction

_FREE = ("reshape", "constant", "quantize")
_FAMILIES = tuple(Efficiency.model_fields)


def predict_latency(
    graph: Graph, device: Device, *, unit: str | None = None, anchors: Sequence[MeasuredGraph] = ()
) -> Prediction:
    """Predicts latency in ms and peak tensor memory in bytes of an artifact on a device.

    Args:
        graph: Ops of the artifact.
        device: Hardware facts.
        unit: Name of a compute unit; by default the fastest one that runs every op, or else the first one that reads
            the format.
        anchors: Artifacts that were measured on the device; they set the scale of each unit that is predicted.

    Returns:
        The prediction; its ``latency_ms`` is None if the unit cannot run every op, or does not read the format, for
        which ``unsupported_ops`` gives the reasons, or if too little is published of its speed.

    Raises:
        UsageError: the device has no such unit.
    """
    if unit is None:
        predictions = [_predict(graph, device, candidate, anchors) for candidate in device.units]
        able = [p for p in predictions if p.latency_ms is not None]
        if able:
            return min(able, key=lambda p: p.latency_ms.p50 if p.latency_ms else math.inf)
        running = [p for p in predictions if p.supported]
        reading = [p for p, u in zip(predictions, device.units, strict=True) if accepts(graph, u)]
        return (running or reading or predictions)[0]
    for candidate in device.units:
        if candidate.name == unit:
            return _predict(graph, device, candidate, anchors)
    raise unknown_name(f"compute unit of {device.name}", unit, [candidate.name for candidate in device.units])


def _predict(graph: Graph, device: Device, unit: Unit, anchors: Sequence[MeasuredGraph]) -> Prediction:
    missing = unsupported_ops(graph, unit)
    tensors = peak_tensor_bytes(graph)
    found = None if missing else estimate(graph, device, unit)
    if found is not None and anchors:
        found = _anchored(found, graph, device, unit, anchors)
    return Prediction(
        device=device.name,
        unit=unit.name,
        latency_ms=found.latency if found else None,
        peak_memory_bytes=tensors,
        basis=found.words if found else _no_latency(graph, unit, missing),
        unsupported_ops=missing,
        peak_tensor_bytes=tensors,
        batch=graph.batch,
    )


@dataclass(frozen=True)
class Estimate:
    """A latency, and what it rests on."""

    latency: LatencyInterval
    words: str
    regime: Regime
    configuration: Configuration
    """That is nearest to the unit; what it is priced as, unless it is the roofline of a data sheet."""
    point: Points
    """How its error goes with those of others on the device."""


def estimate(graph: Graph, device: Device, unit: Unit) -> Estimate | None:
    """Predicts from the machine's own calibration, else from published measurements or the unit's roofline, as it says more.

    Args:
        graph: Ops of the artifact, all of which the unit runs.
        device: That the unit is of.
        unit: Compute unit.

    Returns:
        The latency; None where no runtime of the unit reads the artifact, or too little is published of its speed.
    """
    runtime = runtime_of(graph, unit)
    if runtime is None:
        return None
    fitted = artifact_latency(load_cost_model(), graph, device, unit, runtime.name)
    calibration = calibration_of(unit, runtime.name)
    if calibration is not None:
        calibrated = calibrated_latency(graph, calibration)
        return Estimate(calibrated.interval, calibrated.words, "measured", fitted.configuration, fitted.point)
    if rests_on_measurements(fitted, unit):
        return Estimate(fitted.interval, fitted.words, fitted.basis.regime, fitted.configuration, fitted.point)
    if unit.roofline is None:
        return None
    words = (
        f"data sheet only: per-op roofline for {runtime.title} on {unit.title} from peak rates, bandwidth and published "
        f"efficiencies; no model was run there"
    )
    return Estimate(_latency(graph, unit, unit.roofline), words, "not measured", fitted.configuration, fitted.point)


def rests_on_measurements(fitted: ArtifactLatency, unit: Unit) -> bool:
    """Returns whether the prediction for a unit is the fitted one, and not that of the unit's own roofline."""
    return fitted.basis.nearest in ("unit", "architecture") or (
        unit.roofline is None and fitted.basis.nearest == "runtime"
    )


def _anchored(found: Estimate, graph: Graph, device: Device, unit: Unit, anchors: Sequence[MeasuredGraph]) -> Estimate:
    """Corrects an estimate by how far those of measured artifacts are off.

    Those that ran on another kind of unit or in another runtime, or that the unit does not run, say nothing.
    """
    known: list[tuple[Points, float]] = []
    runtime = runtime_of(graph, unit)
    for measured in anchors:
        if measured.unit_kind not in (None, unit.kind) or runtime_of(measured.graph, unit) != runtime:
            continue
        other = None if unsupported_ops(measured.graph, unit) else estimate(measured.graph, device, unit)
        if other is not None:
            known.append((other.point, math.log(measured.ms / other.latency.p50)))
    model = load_cost_model().anchors.get(found.regime)
    if not known or model is None:
        return found
    errors = np.array([error for _, error in known])
    update = condition(model.prior, found.point, joined([point for point, _ in known]), errors)
    before, narrow = found.latency, model.half_width(update, len(known))
    p50 = before.p50 * math.exp(update.shift)
    low, high = (min(abs(math.log(end / before.p50)), narrow) for end in (before.low, before.high))
    interval = LatencyInterval(p50=p50, low=p50 * math.exp(-low), high=p50 * math.exp(high))
    count = f"{len(known)} measurement{'s' if len(known) > 1 else ''} of yours"
    return replace(found, latency=interval, words=f"{found.words}, scaled by {count}")


def _latency(graph: Graph, unit: Unit, roofline: Roofline) -> LatencyInterval:
    p50 = sum(cost.ms for cost in op_costs(graph, unit, roofline)) + _io_ms(graph, unit, roofline)
    return LatencyInterval(p50=p50, low=p50 * roofline.interval.low_factor, high=p50 * roofline.interval.high_factor)


def _no_latency(graph: Graph, unit: Unit, missing: tuple[str, ...]) -> str:
    runtime = runtime_of(graph, unit)
    if missing or runtime is None:
        return f"data sheet only: what {(runtime or RUNTIMES[unit.runtimes[0]]).title} accepts on {unit.title}"
    return f"no latency: too little is published of {runtime.title} on {unit.title}, and no model was run there"


@dataclass(frozen=True)
class OpCost:
    """What the roofline of a data sheet says of one op."""

    op: Op
    ms: float
    moved_bytes: float


def op_costs(graph: Graph, unit: Unit, roofline: Roofline) -> list[OpCost]:
    """Returns the cost of each op that has one; that of inputs and outputs of a unit with on-chip memory is not among them."""
    overhead = roofline.per_op_overhead_ms.value / 1000
    on_chip = unit.on_chip_memory_bytes
    weights = sum(_bytes(tensor, 4, unit) for tensor in graph.tensors if tensor.constant)
    spilled = max(0.0, 1 - on_chip.value / weights) if on_chip and weights else 1.0
    fused = _fused(graph)
    costs = []
    for op in graph.ops:
        if op.kind in _FREE or fused.issuperset(op.outputs):
            continue
        width = 1 if op.numerics == "int8_static" else 4
        read = [graph.tensor[name] for name in op.inputs]
        moved = spilled * sum(_bytes(tensor, 4, unit) for tensor in read if tensor.constant)
        if not on_chip:
            computed = [*(t for t in read if not t.constant), *(graph.tensor[name] for name in op.outputs)]
            moved += sum(_bytes(tensor, width, unit) for tensor in computed)
        seconds = max(_compute_seconds(op, unit, roofline), moved / _reached_bandwidth(unit, roofline)) + overhead
        costs.append(OpCost(op, 1000 * seconds, moved))
    return costs


def _io_ms(graph: Graph, unit: Unit, roofline: Roofline) -> float:
    """Time in which inputs and outputs of the graph cross the link of a unit with on-chip memory."""
    if not unit.on_chip_memory_bytes:
        return 0.0
    moved = sum(graph.tensor[name].size_bytes for name in (*graph.inputs, *graph.outputs))
    return 1000 * moved / _reached_bandwidth(unit, roofline)


def _reached_bandwidth(unit: Unit, roofline: Roofline) -> float:
    """In bytes per second."""
    assert unit.memory_bandwidth_bytes_per_second is not None  # a roofline has one
    return unit.memory_bandwidth_bytes_per_second.value * roofline.bandwidth_efficiency.value


def _bytes(tensor: Tensor, width: int, unit: Unit) -> int:
    """Bytes moved for a tensor: at most ``width`` per value, or 2 on a unit that computes in float16."""
    if unit.numerics.get("float") == "float16":
        width = min(width, 2)
    return min(tensor.size_bytes, width * math.prod(tensor.shape))


def _compute_seconds(op: Op, unit: Unit, roofline: Roofline) -> float:
    if op.macs == 0:
        return 0.0
    family = op.kind if op.kind in _FAMILIES else "matmul"
    share: float = getattr(roofline.efficiency[op.numerics], family).value
    return 2 * op.macs / (unit.peak(unit.numerics[op.numerics]) * share)


def _fused(graph: Graph) -> set[str]:
    """Outputs of activations that are the only readers of the result of an op with MACs."""
    macs = {name: op.macs for op in graph.ops for name in op.outputs}
    readers = Counter(name for op in graph.ops for name in op.inputs)
    fused: set[str] = set()
    for op in graph.ops:
        data = [name for name in op.inputs if not graph.tensor[name].constant]
        if op.kind == "activation" and len(data) == 1 and readers[data[0]] == 1 and macs.get(data[0], 0) > 0:
            fused.update(op.outputs)
    return fused
