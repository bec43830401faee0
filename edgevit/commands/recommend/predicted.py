"""Predicted latency of the published networks on a device, from their carried features; neither PyTorch nor a runtime is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgevit.commands.recommend.networks import Network, macs, weights
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.device import Arithmetic, Device, Unit
from edgevit.devices.evidence_basis import basis
from edgevit.devices.features import FEATURES
from edgevit.devices.op_support import unsupported_ops
from edgevit.devices.published_names import nearest_configuration
from edgevit.devices.runtimes import RUNTIMES
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.results.measurement import LatencyInterval
from edgevit.results.recommendation import OfferedNetwork, Task
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics

_BYTES: dict[Arithmetic, int] = {"float32": 4, "float16": 2, "int16": 2, "int8": 1}
_NATIVES: dict[str, tuple[OpKind, str, str]] = {
    "CONV_2D": ("conv", "Conv", "Convolution"),
    "BATCH_MATMUL": ("matmul", "MatMul", "MatMul"),
    "GELU": ("activation", "Gelu", "Gelu"),
    "HARD_SWISH": ("activation", "HardSwish", "HSwish"),
    "LOGISTIC": ("activation", "Sigmoid", "Sigmoid"),
    "MUL": ("elementwise", "Mul", "Multiply"),
}
"""Kinds of ops by TFLite's names, with their names in ONNX and OpenVINO."""


def offer(
    networks: Sequence[Network], size: tuple[int, int] | None, task: Task, device: Device | None
) -> tuple[OfferedNetwork, ...]:
    """Returns what each network costs, in their order.

    Args:
        networks: To price.
        size: Height and width that they have to take, and then only those are returned that take any size; their own when None.
        task: For dense ones, only those are returned with feature maps of several sizes.
        device: That latency is predicted for; without one, nothing is.
    """
    able = [
        network
        for network in networks
        if (size is None or network.architecture.any_size)
        and (task == "classification" or network.architecture.pyramid)
    ]
    return tuple(_offer(network, size, device) for network in able)


def with_fit(network: OfferedNetwork, budget_ms: float | None) -> OfferedNetwork:
    """Returns a network with whether its predicted latency is within a budget."""
    latency = network.latency_ms
    if latency is None or budget_ms is None:
        return network
    return replace(network, fits="yes" if latency.high <= budget_ms else "no" if latency.low > budget_ms else "unsure")


def _offer(network: Network, size: tuple[int, int] | None, device: Device | None) -> OfferedNetwork:
    own = network.published.input_size
    taken = size or (own, own)
    features = network.features(size)
    offered = OfferedNetwork(
        name=network.name,
        weights=network.published.weights,
        family=network.family,
        top1=network.published.top1,
        top1_source=network.published.source,
        input_size=taken,
        macs=macs(features),
        weights_bytes=4 * weights(features),
    )
    if device is None:
        return offered
    x = np.array([features[name] for name in FEATURES])
    predictions = [found for unit in device.units if (found := _predict(offered, network, x, unit, device))]
    if not predictions:
        lacking = ", ".join(_lacking(network, device.units[0]))
        return replace(offered, basis=f"does not run on {device.title}: it has no {lacking}")
    best = min(predictions, key=lambda found: found.latency_ms.p50 if found.latency_ms else math.inf)
    words = [best.basis]
    if not network.is_carried(taken):
        words.append(f"work scaled to {taken[0]} x {taken[1]} pixels")
    if any(unit.calibrations for unit in device.units):
        words.append("what was calibrated on the machine is for whole graphs: `edgevit profile` uses it")
    return replace(best, basis="; ".join(words))


def _predict(
    offered: OfferedNetwork, network: Network, x: NDArray[np.float64], unit: Unit, device: Device
) -> OfferedNetwork | None:
    """The latency on a unit, in floats where it has them; None where it does not run."""
    in_float = _runs(network, unit, "float")
    if not in_float and not _runs(network, unit, "int8_static"):
        return None
    arithmetic = unit.numerics["float" if in_float else "int8_static"]
    latency, words = _latency(x, unit, device, arithmetic)
    int8 = _runs(network, unit, "int8_static") and in_float
    return replace(
        offered,
        unit=unit.name,
        arithmetic=arithmetic,
        latency_ms=latency,
        int8_latency_ms=_latency(x, unit, device, unit.numerics["int8_static"])[0] if int8 else None,
        weights_bytes=offered.weights_bytes // 4 * _BYTES[arithmetic],
        basis=words,
    )


def _latency(
    x: NDArray[np.float64], unit: Unit, device: Device, arithmetic: Arithmetic
) -> tuple[LatencyInterval | None, str]:
    """The predicted latency of a graph with features ``x`` [features], and what it rests on; None where too little is known."""
    model = load_cost_model()
    configuration = nearest_configuration(model, device, unit, unit.runtimes[0], arithmetic)
    rests_on = basis(model, configuration)
    if rests_on.nearest == "nothing" and unit.roofline is None:
        return None, f"no latency: too little is published of {RUNTIMES[unit.runtimes[0]].title} on {unit.title}"
    half_width = rests_on.widening * model.intervals.half_width(rests_on.regime, configuration)
    log_ms = model.log_ms(x, configuration)
    p50, low, high = (math.exp(log_ms + side * half_width) for side in (0, -1, 1))
    return LatencyInterval(p50, low, high), f"{rests_on.words} ({configuration.runtime}, {configuration.precision})"


def _runs(network: Network, unit: Unit, numerics: Numerics) -> bool:
    return numerics in unit.numerics and not _lacking(network, unit, numerics)


def _lacking(network: Network, unit: Unit, numerics: Numerics = "int8_static") -> tuple[str, ...]:
    """Ops of a network that a unit does not run, as a graph with one of each tells."""
    format = RUNTIMES[unit.runtimes[0]].formats[0]
    place = {"tflite": None, "onnx": 1, "openvino": 2}[format]
    natives = ("CONV_2D", *network.architecture.ops)
    tensors = tuple(Tensor(f"t{at}", (1, 8), "float32", 32, False) for at in range(len(natives) + 1))
    ops = tuple(
        Op(
            name,
            name if place is None else _NATIVES[name][place],
            _NATIVES[name][0],
            (f"t{at}",),
            (f"t{at + 1}",),
            1,
            numerics,
        )
        for at, name in enumerate(natives)
    )
    return unsupported_ops(Graph(format, ops, tensors, ("t0",), (f"t{len(natives)}",)), unit)
