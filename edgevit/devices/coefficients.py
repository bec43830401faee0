"""The fitted cost model as a file, and what it says of a configuration. Needs NumPy alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgevit.devices.anchors import AnchorModel
from edgevit.devices.error_correlations import ErrorCorrelations
from edgevit.devices.evidence import Configuration, Row
from edgevit.devices.features import for_batch
from edgevit.devices.fitted import Array, Fitted
from edgevit.devices.interval_table import IntervalTable, Regime
from edgevit.devices.like_graphs import LikeGraphs

SHIPPED = Path(__file__).parent / "evidence" / "coefficients.npz"
"""Coefficients that edgevit carries, fitted to all rows of the carried table."""


@dataclass(frozen=True)
class CostModel:
    """Coefficients, intervals, and how much evidence each group has."""

    fitted: Fitted
    like_graphs: LikeGraphs
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

    def log_ms(self, x: Array, configuration: Configuration) -> float:
        """Predicts the logarithm of the latency in ms of a graph.

        Args:
            x: Its features for one image [features].
            configuration: What it runs on.
        """
        groups = configuration.groups()
        costs = np.exp(self.fitted.log_costs(groups))
        total = float((for_batch(x, configuration.batch) / self.fitted.unit * costs).sum())
        return math.log(total) + self.like_graphs.correction(x, groups)


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
    names = [
        (level, cast("tuple[str, ...]", group)) for level, groups in model.fitted.offsets.items() for group in groups
    ]
    index = {
        "groups": [[level, *group] for level, group in names],
        "counts": [model.counts.get(level, {}).get(group, 0) for level, group in names],
        "devices": [[list(group), list(devices)] for group, devices in model.devices.items()],
        "intervals": model.intervals.document(),
        "anchors": {regime: found.document() for regime, found in model.anchors.items()},
        "correlations": model.correlations.document(),
        "like": [
            [level, list(cast("tuple[str, ...]", group)), at.tolist(), _rounded(weights[at])]
            for level, groups in model.like_graphs.weights.items()
            for group, weights in groups.items()
            if len(at := np.flatnonzero(weights))
        ],
    }
    offsets = np.array([model.fitted.offsets[level][group] for level, group in names])
    text = json.dumps(index, separators=(",", ":"), ensure_ascii=False)
    np.savez_compressed(
        path,
        unit=model.fitted.unit,
        base=model.fitted.base,
        offsets=offsets.astype(np.float16),
        places=model.like_graphs.places.astype(np.float32),
        index=np.frombuffer(text.encode(), dtype=np.uint8),
    )


@cache
def load_cost_model(path: Path = SHIPPED) -> CostModel:
    """Reads a cost model that :func:`save_cost_model` wrote."""
    with np.load(path) as arrays:
        index = json.loads(arrays["index"].tobytes())
        unit, base, table = arrays["unit"], arrays["base"], arrays["offsets"].astype(np.float64)
        places = arrays["places"].astype(np.float64)
    offsets: dict[str, dict[Hashable, Array]] = {}
    counts: dict[str, dict[tuple[str, ...], int]] = {}
    for (level, *group), count, offset in zip(index["groups"], index["counts"], table, strict=True):
        offsets.setdefault(level, {})[tuple(group)] = offset
        counts.setdefault(level, {})[tuple(group)] = count
    counts["kernels"] = _of_all_devices(counts.get("kernels device", {}))
    devices = {tuple(group): tuple(names) for group, names in index["devices"]}
    like = _read_like_graphs(index["like"], places)
    intervals = IntervalTable.from_document(index["intervals"])
    anchors = {regime: AnchorModel.from_document(found) for regime, found in index["anchors"].items()}
    correlations = ErrorCorrelations.from_document(index.get("correlations", ()))
    return CostModel(Fitted(unit, base, offsets), like, intervals, anchors, counts, devices, correlations)


def _of_all_devices(counts: Mapping[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    """Returns the numbers of rows of kernels, which are no level of the fit, from those on each device."""
    found: Counter[tuple[str, ...]] = Counter()
    for (*group, _), count in counts.items():
        found[tuple(group)] += count
    return dict(found)


def _read_like_graphs(document: Sequence[Any], places: Array) -> LikeGraphs:
    found: dict[str, dict[Hashable, Array]] = {}
    for level, group, at, weights in document:
        row = found.setdefault(level, {}).setdefault(tuple(group), np.zeros(len(places)))
        row[at] = weights
    return LikeGraphs(places, found)


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 5) for value in values]
