"""The fitted cost model as a file, and what it says of a configuration. Needs NumPy alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.anchors import AnchorModel
from edgevit.devices.error_correlations import ErrorCorrelations
from edgevit.devices.evidence import OF_DEVICE, Configuration, Row
from edgevit.devices.features import for_batch
from edgevit.devices.fitted import Array, Fitted
from edgevit.devices.interval_table import IntervalTable, Regime
from edgevit.devices.like_graphs import LikeGraphs

SHIPPED = Path(__file__).parent / "evidence" / "coefficients.npz"
"""Coefficients that edgevit carries, fitted to all rows of the carried table."""


@dataclass(frozen=True)
class Coefficients:
    """One fit: costs, and what it leaves unexplained of like graphs."""

    fitted: Fitted
    like_graphs: LikeGraphs

    def shared(self) -> Coefficients:
        """Returns them without those of single devices, which tell nothing of a unit that was not measured."""
        offsets = {level: found for level, found in self.fitted.offsets.items() if level not in OF_DEVICE}
        weights = {level: found for level, found in self.like_graphs.weights.items() if level not in OF_DEVICE}
        return Coefficients(replace(self.fitted, offsets=offsets), replace(self.like_graphs, weights=weights))


@dataclass(frozen=True)
class CostModel:
    """Coefficients, intervals, and how much evidence each group has."""

    coefficients: Mapping[Regime, Coefficients]
    """What units are predicted by that were measured, and those that never were."""
    intervals: IntervalTable
    anchors: Mapping[Regime, AnchorModel]
    """What anchors say of the predictions of a regime."""
    counts: Mapping[str, Mapping[tuple[str, ...], int]]
    """Rows by level and group."""
    devices: Mapping[tuple[str, ...], tuple[str, ...]]
    """Devices with evidence in each group of the level "kernels architecture"."""
    correlations: ErrorCorrelations = field(default_factory=lambda: ErrorCorrelations({}))
    """Of the errors of two predictions for one device."""

    def count(self, level: str, configuration: Configuration) -> int:
        """Returns the number of measurements that a configuration shares a group of a level with."""
        return self.counts.get(level, {}).get(configuration.groups()[level], 0)

    def regime(self, configuration: Configuration) -> Regime:
        """Returns whether a configuration's unit was measured, in whatever runtime and precision."""
        return "measured" if self.count("unit device", configuration) else "not measured"

    def costs(self, configuration: Configuration) -> Array:
        """Returns the cost in ms of one of each feature on a configuration [features]."""
        fitted = self.coefficients[self.regime(configuration)].fitted
        costs: Array = np.exp(fitted.log_costs(configuration.groups())) / fitted.unit
        return costs

    def correction(self, x: Array, configuration: Configuration) -> float:
        """Returns what measurements of like graphs add to ``log t`` of a graph with features ``x`` [features]."""
        return self.coefficients[self.regime(configuration)].like_graphs.correction(x, configuration.groups())

    def log_ms(self, x: Array, configuration: Configuration) -> float:
        """Predicts the logarithm of the latency in ms of a graph.

        Args:
            x: Its features for one image [features].
            configuration: What it runs on.
        """
        total = float((for_batch(x, configuration.batch) * self.costs(configuration)).sum())
        return math.log(total) + self.correction(x, configuration)


def evidence_counts(rows: Sequence[Row]) -> dict[str, dict[tuple[str, ...], int]]:
    """Returns the number of rows by level and group."""
    found: dict[str, Counter[tuple[str, ...]]] = {}
    for row in rows:
        for level, group in row.configuration.groups().items():
            found.setdefault(level, Counter())[group] += 1
    return {level: dict(count) for level, count in found.items()}


def devices_of_kernels(rows: Sequence[Row]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Returns the devices with rows in each group of the level "kernels architecture", most rows first."""
    found: dict[tuple[str, ...], Counter[str]] = {}
    for row in rows:
        group = row.configuration.groups()["kernels architecture"]
        found.setdefault(group, Counter())[row.configuration.device] += 1
    return {group: tuple(name for name, _ in count.most_common()) for group, count in found.items()}


def save_cost_model(path: Path, model: CostModel) -> None:
    """Writes a cost model; offsets are rounded to float16, which changes no prediction by more than 1 %."""
    index = {
        "coefficients": {regime: _index(found, model.counts) for regime, found in model.coefficients.items()},
        "devices": [[list(group), list(devices)] for group, devices in model.devices.items()],
        "intervals": model.intervals.document(),
        "anchors": {regime: found.document() for regime, found in model.anchors.items()},
        "correlations": model.correlations.document(),
    }
    arrays = {
        f"{regime} {name}": array
        for regime, found in model.coefficients.items()
        for name, array in _arrays(found).items()
    }
    text = json.dumps(index, separators=(",", ":"), ensure_ascii=False)
    np.savez_compressed(path, index=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]


@cache
def load_cost_model(path: Path = SHIPPED) -> CostModel:
    """Reads a cost model that :func:`save_cost_model` wrote."""
    coefficients: dict[Regime, Coefficients] = {}
    counts: dict[str, dict[tuple[str, ...], int]] = {}
    with np.load(path) as arrays:
        index = json.loads(arrays["index"].tobytes())
        for regime, found in index["coefficients"].items():
            named = {name: arrays[f"{regime} {name}"].astype(np.float64) for name in _ARRAYS}
            coefficients[regime] = _read_coefficients(found, named)
            for (level, *group), count in zip(found["groups"], found["counts"], strict=True):
                counts.setdefault(level, {})[tuple(group)] = count
    devices = {tuple(group): tuple(names) for group, names in index["devices"]}
    intervals = IntervalTable.from_document(index["intervals"])
    anchors = {regime: AnchorModel.from_document(found) for regime, found in index["anchors"].items()}
    correlations = ErrorCorrelations.from_document(index["correlations"])
    return CostModel(coefficients, intervals, anchors, counts, devices, correlations)


_ARRAYS = ("unit", "base", "offsets", "places")


def _groups(fitted: Fitted) -> list[tuple[str, tuple[str, ...]]]:
    """Returns level and group of each row of the offsets."""
    return [(level, cast("tuple[str, ...]", group)) for level, groups in fitted.offsets.items() for group in groups]


def _arrays(coefficients: Coefficients) -> dict[str, NDArray[Any]]:
    fitted = coefficients.fitted
    offsets = np.array([fitted.offsets[level][group] for level, group in _groups(fitted)])
    return {
        "unit": fitted.unit,
        "base": fitted.base,
        "offsets": offsets.astype(np.float16),
        "places": coefficients.like_graphs.places.astype(np.float32),
    }


def _index(coefficients: Coefficients, counts: Mapping[str, Mapping[tuple[str, ...], int]]) -> dict[str, list[Any]]:
    """Returns the names of groups, with numbers of rows, and the weights of like graphs, as plain values."""
    groups = _groups(coefficients.fitted)
    return {
        "groups": [[level, *group] for level, group in groups],
        "counts": [counts.get(level, {}).get(group, 0) for level, group in groups],
        "like": [
            [level, list(cast("tuple[str, ...]", group)), at.tolist(), _rounded(weights[at])]
            for level, found in coefficients.like_graphs.weights.items()
            for group, weights in found.items()
            if len(at := np.flatnonzero(weights))
        ],
    }


def _read_coefficients(index: Mapping[str, Any], arrays: Mapping[str, Array]) -> Coefficients:
    offsets: dict[str, dict[Hashable, Array]] = {}
    for (level, *group), offset in zip(index["groups"], arrays["offsets"], strict=True):
        offsets.setdefault(level, {})[tuple(group)] = offset
    fitted = Fitted(arrays["unit"], arrays["base"], offsets)
    return Coefficients(fitted, _read_like_graphs(index["like"], arrays["places"]))


def _read_like_graphs(document: Sequence[Any], places: Array) -> LikeGraphs:
    found: dict[str, dict[Hashable, Array]] = {}
    for level, group, at, weights in document:
        row = found.setdefault(level, {}).setdefault(tuple(group), np.zeros(len(places)))
        row[at] = weights
    return LikeGraphs(places, found)


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 5) for value in values]
