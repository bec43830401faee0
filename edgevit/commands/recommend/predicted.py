"""Predicted latency of the published networks on a device, from their carried features; neither PyTorch nor a runtime is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgevit.commands.recommend.networks import Network, macs, weights
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.device import Arithmetic, Device, Unit
from edgevit.devices.evidence import Configuration
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
    networks: Sequence[Network],
    size: tuple[int, int] | None,
    task: Task,
    device: Device | None,
    exported: Sequence[Numerics] = ("float",),
) -> tuple[OfferedNetwork, ...]:
    """Returns what each network costs, in their order.

    Args:
        networks: To price.
        size: Height and width that they have to take, and then only those are returned that take any size; their own when None.
        task: For dense ones, only those are returned with feature maps of several sizes.
        device: That latency is predicted for; without one, nothing is.
        exported: Numerics that artifacts for the device have, of which each network gets the fastest; where a unit runs none of them,
            the first that it runs.
    """
    able = [
        network
        for network in networks
        if (size is None or network.architecture.any_size)
        and (task == "classification" or network.architecture.pyramid)
    ]
    targets = [_target(device, unit, exported) for unit in device.units] if device is not None else []
    return tuple(_offer(network, size, device, targets) for network in able)


def with_fit(network: OfferedNetwork, budget_ms: float | None) -> OfferedNetwork:
    """Returns a network with whether its predicted latency is within a budget."""
    latency = network.latency_ms
    if latency is None or budget_ms is None:
        return network
    return replace(network, fits="yes" if latency.high <= budget_ms else "no" if latency.low > budget_ms else "unsure")


@dataclass(frozen=True)
class _Price:
    """What a unit is priced as in one arithmetic."""

    configuration: Configuration
    half_width: float | None
    """Of the interval of the logarithm of a latency; None where too little is published for a prediction."""
    words: str
    """What a prediction rests on."""

    def latency(self, x: NDArray[np.float64]) -> LatencyInterval | None:
        """Returns the predicted latency of a graph with features ``x`` [features]."""
        if self.half_width is None:
            return None
        log_ms = load_cost_model().log_ms(x, self.configuration)
        p50, low, high = (math.exp(log_ms + side * self.half_width) for side in (0, -1, 1))
        return LatencyInterval(p50, low, high)


@dataclass(frozen=True)
class _Target:
    """A unit with its prices."""

    unit: Unit
    prices: Mapping[Numerics, _Price]
    """In floats and in static int8, where it has them."""
    exported: Sequence[Numerics]


def _target(device: Device, unit: Unit, exported: Sequence[Numerics]) -> _Target:
    numerics: tuple[Numerics, ...] = ("float", "int8_static")
    prices = {each: _price(device, unit, unit.numerics[each]) for each in numerics if each in unit.numerics}
    return _Target(unit, prices, exported)


def _price(device: Device, unit: Unit, arithmetic: Arithmetic) -> _Price:
    model = load_cost_model()
    configuration = nearest_configuration(model, device, unit, unit.runtimes[0], arithmetic)
    rests_on = basis(model, configuration)
    if rests_on.nearest == "nothing" and unit.roofline is None:
        runtime = RUNTIMES[unit.runtimes[0]].title
        return _Price(configuration, None, f"no latency: too little is published of {runtime} on {unit.title}")
    half_width = rests_on.widening * model.intervals.half_width(rests_on.regime, configuration)
    return _Price(configuration, half_width, f"{rests_on.words} ({configuration.runtime}, {configuration.precision})")


def _offer(
    network: Network, size: tuple[int, int] | None, device: Device | None, targets: Sequence[_Target]
) -> OfferedNetwork:
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
    predictions = [found for target in targets if (found := _predict(offered, network, x, target))]
    if not predictions:
        first = targets[0]
        lacking = ", ".join(_lacking(network, first.unit, next(iter(first.prices), "float")))
        return replace(offered, basis=f"does not run on {device.title}: it has no {lacking}")
    best = min(predictions, key=lambda found: found.latency_ms.p50 if found.latency_ms else math.inf)
    words = [best.basis]
    if not network.is_carried(taken):
        words.append(f"work scaled to {taken[0]} x {taken[1]} pixels")
    if any(unit.calibrations for unit in device.units):
        words.append("what was calibrated on the machine is for whole graphs: `edgevit profile` uses it")
    return replace(best, basis="; ".join(words))


def _predict(
    offered: OfferedNetwork, network: Network, x: NDArray[np.float64], target: _Target
) -> OfferedNetwork | None:
    """The latency on a unit; None where it does not run."""
    latency = {
        each: price.latency(x) for each, price in target.prices.items() if not _lacking(network, target.unit, each)
    }
    if not latency:
        return None

    def rank(numerics: Numerics) -> tuple[bool, float]:
        found = latency[numerics]
        return numerics not in target.exported, found.p50 if found else math.inf

    first, *rest = sorted(latency, key=rank)
    other = rest[0] if rest else None
    arithmetic = target.unit.numerics[first]
    return replace(
        offered,
        unit=target.unit.name,
        arithmetic=arithmetic,
        latency_ms=latency[first],
        other_arithmetic=target.unit.numerics[other] if other else None,
        other_latency_ms=latency[other] if other else None,
        weights_bytes=offered.weights_bytes // 4 * _BYTES[arithmetic],
        basis=target.prices[first].words,
    )


def _lacking(network: Network, unit: Unit, numerics: Numerics) -> tuple[str, ...]:
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
