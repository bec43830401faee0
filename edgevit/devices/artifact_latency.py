"""Latency of an artifact from the fitted cost model."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from edgevit.devices.anchors import Points, points
from edgevit.devices.coefficients import CostModel
from edgevit.devices.device import Arithmetic, Device, Unit, UnitKind
from edgevit.devices.evidence import Configuration
from edgevit.devices.evidence_basis import Basis, basis
from edgevit.devices.features import FEATURES, features, kernel_features
from edgevit.devices.fitted import Array
from edgevit.devices.kernels import Kernel, kernels
from edgevit.devices.published_names import nearest_configuration
from edgevit.devices.runtimes import RuntimeName
from edgevit.results.graph import Graph
from edgevit.results.measurement import LatencyInterval


@dataclass(frozen=True)
class ArtifactLatency:
    """Prediction for one artifact on one unit."""

    log_ms: float
    """Logarithm of the median."""
    half_width: float
    """Of the interval of ``log_ms``."""
    basis: Basis
    configuration: Configuration
    """That most of its MACs are priced as."""
    kernels: tuple[tuple[Kernel, float], ...]
    """Each kernel with its time in ms; together they take all but the constant part."""
    point: Points
    """How its error goes with those of others on the device."""

    @property
    def words(self) -> str:
        """What it rests on, and as what configuration it is priced."""
        named = self.configuration
        return f"{self.basis.words} ({named.runtime}, {named.precision})"

    @property
    def interval(self) -> LatencyInterval:
        """Median and interval in ms."""
        return LatencyInterval(
            p50=math.exp(self.log_ms),
            low=math.exp(self.log_ms - self.half_width),
            high=math.exp(self.log_ms + self.half_width),
        )


@dataclass(frozen=True)
class MeasuredGraph:
    """Ops of an artifact whose latency was measured on the device."""

    graph: Graph
    ms: float
    unit_kind: UnitKind | None = None
    """Of the unit that ran it; None where that is not said, and it may have been any."""


def artifact_latency(
    model: CostModel, graph: Graph, device: Device, unit: Unit, runtime: RuntimeName
) -> ArtifactLatency:
    """Predicts the latency of an artifact; each kernel is priced in the arithmetic that the unit runs it in.

    Args:
        model: Fitted cost model.
        graph: Ops of the artifact, all of which the unit runs.
        device: That the unit is of.
        unit: Compute unit.
        runtime: One of its runtimes, which reads the artifact.
    """
    found = kernels(graph)
    of_kernel = [arithmetic_of(kernel, unit) for kernel in found]
    macs: dict[Arithmetic, int] = defaultdict(int)
    for kernel, arithmetic in zip(found, of_kernel, strict=True):
        macs[arithmetic] += kernel.macs
    main = max(macs, key=lambda arithmetic: macs[arithmetic]) if macs else next(iter(unit.numerics.values()))
    chosen = {name: nearest_configuration(model, device, unit, runtime, name) for name in {main, *of_kernel}}
    costs = {name: model.costs(configuration) for name, configuration in chosen.items()}
    x = _vector(features(found))
    factor = math.exp(model.correction(x, chosen[main]))
    by_feature = [
        _vector(kernel_features(kernel)) * costs[arithmetic]
        for kernel, arithmetic in zip(found, of_kernel, strict=True)
    ]
    constant = _vector({"constant": 1.0}) * costs[main]
    times = [factor * float(parts.sum()) for parts in by_feature]
    rests_on = basis(model, chosen[main])
    half_width = rests_on.widening * model.intervals.half_width(rests_on.regime, chosen[main])
    return ArtifactLatency(
        math.log(sum(times) + factor * float(constant.sum())),
        half_width,
        rests_on,
        chosen[main],
        tuple(zip(found, times, strict=True)),
        points(x[None], sum(by_feature, constant)[None]),
    )


def arithmetic_of(kernel: Kernel, unit: Unit) -> Arithmetic:
    """Returns the arithmetic that a unit computes a kernel in; where it has no such numerics, that of its first ones."""
    return unit.numerics.get(kernel.numerics, next(iter(unit.numerics.values())))


def _vector(named: dict[str, float]) -> Array:
    return np.array([named.get(name, 0.0) for name in FEATURES])
