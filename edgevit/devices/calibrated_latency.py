"""Latency of an artifact from what ``edgevit devices calibrate`` found on the machine itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgevit.devices.calibration.features import CONSTANT, features_of_kernels, graph_features
from edgevit.devices.calibration.prior import prior_cost
from edgevit.devices.device import Calibration, Unit
from edgevit.devices.kernels import Kernel
from edgevit.devices.runtimes import RuntimeName
from edgevit.results.graph import Graph
from edgevit.results.measurement import LatencyInterval

_UNSEEN = 1.28
"""Half-width, of the logarithm, of 80 % of the costs that no network told."""


@dataclass(frozen=True)
class CalibratedLatency:
    """Prediction for one artifact."""

    interval: LatencyInterval
    """Median and interval in ms."""
    words: str
    """What it rests on."""
    kernels: tuple[tuple[Kernel, float], ...]
    """Each kernel with its time in ms; together they take all but the constant part."""


def calibration_of(unit: Unit, runtime: RuntimeName) -> Calibration | None:
    """Returns what was measured of a runtime on a unit; None where nothing was."""
    return next((found for found in unit.calibrations if found.runtime == runtime), None)


def calibrated_latency(graph: Graph, calibration: Calibration) -> CalibratedLatency:
    """Predicts the latency of an artifact.

    Args:
        graph: Its ops, all of which the unit runs.
        calibration: Of the runtime that reads it.
    """
    features = graph_features(graph)

    def ms(values: dict[str, float]) -> float:
        costs = calibration.costs
        known = sum(value * (costs[name] if name in costs else prior_cost(name)) for name, value in values.items())
        return known * calibration.reference_ms

    p50 = ms(features)
    unseen = ms({name: value for name, value in features.items() if name not in calibration.costs}) / p50
    half_width = math.hypot(calibration.half_width, _UNSEEN * unseen)
    interval = LatencyInterval(p50=p50, low=p50 * math.exp(-half_width), high=p50 * math.exp(half_width))
    times = [(kernel, ms(found)) for kernel, found in features_of_kernels(graph)]
    shared = p50 - ms({CONSTANT: 1.0})
    whole = sum(time for _, time in times)
    scale = shared / whole if whole else 0.0
    words = (
        f"calibrated on this machine on {calibration.date}: {calibration.networks} networks in"
        f" {calibration.runtime} {calibration.runtime_version}, {calibration.threads} thread"
        f"{'' if calibration.threads == 1 else 's'}; {calibration.median_error:.0%} off in the median"
    )
    if calibration.busy:
        words += f"; the machine was busy: {calibration.busy}"
    return CalibratedLatency(interval, words, tuple((kernel, time * scale) for kernel, time in times))
