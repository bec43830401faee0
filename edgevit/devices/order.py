"""Which of several artifacts is the fastest on a device, and how sure that is; in a child process, as predictions are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends import get_backend
from edgevit.devices.coefficients import CostModel, load_cost_model
from edgevit.devices.cost import Estimate, estimate, predict_latency
from edgevit.devices.device import Device
from edgevit.devices.error_correlations import PricedGraph
from edgevit.devices.features import FEATURES, features
from edgevit.devices.fitted import Array
from edgevit.devices.kernels import kernels
from edgevit.devices.like_graphs import places
from edgevit.results.graph import Graph
from edgevit.results.predicted_order import PredictedOrder

_QUANTILE = 1.6377
"""Of Student's t with three degrees of freedom: 80 % lie within. Errors have more far ones than a normal distribution."""
_DRAWS = 20_000
_SAME = 1e-6
"""Difference of ``log t`` that is one of rounding."""


@dataclass(frozen=True)
class NamedArtifact:
    """An artifact of a run."""

    id: str
    backend: str
    artifact: Path


@dataclass(frozen=True)
class OrderJob:
    """Artifacts, and the devices on which they are compared."""

    artifacts: tuple[NamedArtifact, ...]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class Orders:
    """The order on each device on which a latency is predicted for an artifact, by the name of the device."""

    orders: dict[str, PredictedOrder]


def order_artifacts(job: OrderJob) -> Orders:
    """Reads the graphs of artifacts and compares their predictions on each device.

    Raises:
        UsageError: an artifact cannot be read.
    """
    graphs = {each.id: get_backend(each.backend).read_graph(each.artifact) for each in job.artifacts}
    found = {device.name: order_on(graphs, device) for device in job.devices}
    return Orders({name: order for name, order in found.items() if order is not None})


def order_on(graphs: Mapping[str, Graph], device: Device) -> PredictedOrder | None:
    """Compares artifacts on a device.

    Args:
        graphs: Their ops, by id.
        device: Hardware facts.

    Returns:
        Their order; None where no latency is predicted for any of them.
    """
    found = {name: estimate_on(graph, device) for name, graph in graphs.items()}
    known = {name: (graphs[name], made) for name, made in found.items() if made is not None}
    if not known:
        return None
    ids = sorted(known, key=lambda name: (known[name][1].latency.p50, name))
    log_ms = np.log([known[name][1].latency.p50 for name in ids])
    priced = [_priced(*known[name]) for name in ids]
    widths = difference_widths(load_cost_model(), priced)
    own = np.array([each.half_width for each in priced])
    slower = [
        probability_below(float(log_ms[0] - value), width) for value, width in zip(log_ms, widths[0], strict=True)
    ]
    return PredictedOrder(
        first=ids[0],
        fastest=dict(zip(ids, fastest_probabilities(log_ms, own, widths), strict=True)),
        slower=dict(zip(ids, (0.0, *slower[1:]), strict=True)),
    )


def estimate_on(graph: Graph, device: Device) -> Estimate | None:
    """Returns what is predicted on the unit that a prediction for the device is of; None where there is no latency."""
    prediction = predict_latency(graph, device)
    if prediction.latency_ms is None:
        return None
    unit = next(unit for unit in device.units if unit.name == prediction.unit)
    return estimate(graph, device, unit)


def _priced(graph: Graph, made: Estimate) -> PricedGraph:
    named = features(kernels(graph))
    place = places(np.array([[named[name] for name in FEATURES]]))[0]
    half_width = math.log(made.latency.high / made.latency.low) / 2
    return PricedGraph(made.configuration, made.regime, half_width, place)


def difference_widths(model: CostModel, priced: Sequence[PricedGraph]) -> Array:
    """Returns the half-widths of the intervals of all differences of ``log t`` [predictions, predictions]; 0 of each to itself."""
    widths = np.zeros((len(priced), len(priced)))
    for i, first in enumerate(priced):
        for j, second in enumerate(priced[:i]):
            widths[i, j] = widths[j, i] = model.correlations.half_width(first, second)
    return widths


def probability_below(difference: float, half_width: float) -> float:
    """Returns the probability that a difference of ``log t`` is below 0.

    Args:
        difference: As predicted.
        half_width: Of its interval.
    """
    if half_width == 0:
        return 0.5 if difference == 0 else float(difference < 0)
    t = -difference * _QUANTILE / half_width / math.sqrt(3)
    return 0.5 + (t / (1 + t * t) + math.atan(t)) / math.pi


def fastest_probabilities(log_ms: Array, half_widths: Array, differences: Array) -> list[float]:
    """Returns the probability of each prediction that its true latency is the lowest; together they are 1.

    Args:
        log_ms: Predicted ``log t`` [predictions].
        half_widths: Of their intervals [predictions].
        differences: Half-widths of the intervals of their differences [predictions, predictions].
    """
    squares = half_widths**2
    covariance = (squares[:, None] + squares[None] - differences**2) / 2
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    random = np.random.default_rng(0)
    normal = random.standard_normal((_DRAWS // 2, len(log_ms)))
    spread = np.sqrt(3 / random.chisquare(3, (_DRAWS // 2, 1)))
    errors = normal @ root.T * spread / _QUANTILE
    drawn = np.concatenate((log_ms + errors, log_ms - errors))
    least = drawn <= drawn.min(axis=1, keepdims=True) + _SAME
    shares = (least / least.sum(axis=1, keepdims=True)).mean(axis=0)
    return [float(share) for share in shares]
