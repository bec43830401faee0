"""Searches replayed on a table of points that were all made once: nothing is run, so that many searches can be compared.

The table is what ``edgevit search --method exhaustive`` found (``search.json``), kept with only what a replay needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.results.search import NONE, Forecasts, PlanSingle, PointSettings, Search
from edgevit.search.axes import Axes
from edgevit.search.black_box import BlackBox
from edgevit.search.forecasts import judge_forecasts
from edgevit.search.front import hypervolume
from edgevit.search.loop import Loop
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts, Predicted, Singles
from edgevit.search.search_budget import Budget
from edgevit.search.space import Change, to_make
from edgevit.search.strategy import ByPrediction, Strategy

TABLE = Path(__file__).parent / "data" / "search_digits_vit.json"
MACS, PARAMS = 46_000_000, 172_000
"""Of digits_vit."""
RIVALS = ("nsga2", "tpe", "random")
PLAN_COST, SPEED_COST = 0.2, 0.15
"""What a single change costs before the search, in candidates: a capture and a few images in PyTorch; a float export and a
short measurement in one runtime. Both are parts of what a candidate of that plan takes, which is then made from them."""


@dataclass(frozen=True)
class TableRow:
    """A point of the table."""

    point: PointSettings
    amounts: Amounts
    counts: bool
    """Whether it may be on the front: what is slower than its float parent is not."""


@dataclass(frozen=True)
class Table:
    """Every point of a space, and what single changes cost."""

    rows: tuple[TableRow, ...]
    plans: tuple[PlanSingle, ...]
    samples: int


def keep_table(found: Search, file: Path) -> None:
    """Writes what a replay needs of an exhaustive search of one model."""
    model = found.models[0]
    document = {
        "about": f"edgevit search {model.name} --method exhaustive, {found.host.cpu}, {found.created_at}",
        "samples": model.samples,
        "plans": [[each.settings, each.divergence, each.mac_share] for each in model.singles],
        "points": [
            [
                *(getattr(point.settings, name) for name in ("backend", "scheme", "tokens", "form", "finetune")),
                point.divergence.value,
                point.drop_points.value,
                point.p50_ms.value,
                point.size_bytes.value,
                point.status == "measured",
            ]
            for point in found.points
            if point.order and point.divergence and point.drop_points and point.p50_ms and point.size_bytes
        ],
    }
    lines = json.dumps(document).replace("[[", "[\n[").replace("], [", "],\n[")
    file.parent.mkdir(exist_ok=True)
    file.write_text(lines + "\n", encoding="utf-8")


def read_table(file: Path = TABLE) -> Table:
    """Reads a table."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = []
    for backend, scheme, tokens, form, finetune, divergence, drop, ms, size, counts in document["points"]:
        point = PointSettings("digits_vit", backend, scheme, tokens, form, finetune=finetune)
        rows.append(TableRow(point, Amounts(divergence, drop, ms, size), counts))
    plans = tuple(PlanSingle(*each) for each in document["plans"])
    return Table(tuple(rows), plans, document["samples"])


class TableNetwork:
    """A network whose points are looked up."""

    name = "digits_vit"
    adds_up = True
    max_drop = 1.0

    def __init__(self, table: Table) -> None:
        """Begins with nothing made; latencies of single changes are those of the fastest runtime, as in a search."""
        self._rows: Mapping[PointSettings, TableRow] = {row.point: row for row in table.rows}
        self.points = tuple(self._rows)
        self.noise_points = max(0.1, 100 * float(np.sqrt(0.1 / table.samples)))
        dense = {row.point.backend: row.amounts.ms or 0.0 for row in table.rows if not row.point.changes}
        fastest = min(dense, key=lambda name: dense[name])
        speeds = {
            (fastest, Change(point.tokens, point.form)): (row.amounts.ms or 0.0) / dense[fastest]
            for point, row in self._rows.items()
            if (point.backend, point.scheme, point.finetune) == (fastest, "fp32", NONE) and point.tokens != NONE
        }
        self.singles = Singles(MACS, PARAMS, {each.settings: each for each in table.plans}, speeds)
        self.singles_cost = PLAN_COST * len(table.plans) + SPEED_COST * len(speeds)
        self._made: set[PointSettings] = set()

    def seconds(self, point: PointSettings) -> float:
        """Returns one, as only the number of candidates is limited."""
        return 1.0

    def make_together(self, points: Sequence[PointSettings], on_made: Callable[[Evaluation], None]) -> None:
        """Looks points and their parents up."""
        for point in points:
            for each in to_make(point, self._made):
                self._made.add(each)
                on_made(_looked_up(self._rows[each]))


@dataclass(frozen=True)
class Replay:
    """One search."""

    made: int
    share: float
    """Hypervolume over that of the front of all points."""
    forecasts: Forecasts


def axes_of(table: Table) -> Axes:
    """Accuracy, latency and size; the worst that counts is a drop of 5 points, the fastest float model and its size, plus a tenth."""
    dense = [row.amounts for row in table.rows if not row.point.changes]
    slowest = 1.1 * min(each.ms or np.inf for each in dense)
    return Axes(
        ("top1", "p50_ms", "size"),
        {"digits_vit": 0.0},
        np.array([5.0, slowest, 1.1 * max(each.bytes for each in dense)]),
    )


def replay(table: Table, method: str, candidates: int, seed: int) -> Replay:
    """Searches the table.

    Args:
        table: See :func:`read_table`.
        method: "proxy", or a sampler.
        candidates: That are made at most.
        seed: Of the search.
    """
    network, axes = TableNetwork(table), axes_of(table)
    predicting = ByPrediction([network], axes, seed)
    strategy: Strategy = predicting if method == "proxy" else BlackBox([network], axes, method, seed)
    loop = Loop([network], strategy, Budget(None, candidates))
    loop.run(1)
    whole = hypervolume(_values(table.rows, axes), axes.reference)
    found = hypervolume(predicting.front(loop.made), axes.reference)
    forecasts = judge_forecasts(_predictions(predicting, loop), {row.point: _looked_up(row) for row in table.rows})
    return Replay(len(loop.made), found / whole, forecasts)


def _predictions(predicting: ByPrediction, loop: Loop) -> dict[PointSettings, Predicted]:
    """Of points before they were made, and of all others at the end; their measurements are in the table."""
    outlook = {point: each.predicted for point, each in predicting.outlook(loop.made).items()}
    return {**predicting.forecasts, **outlook}


def _looked_up(row: TableRow) -> Evaluation:
    return Evaluation(row.point, row.amounts, "measured" if row.counts else "rejected")


def _values(rows: Sequence[TableRow], axes: Axes) -> np.ndarray:
    return np.array([axes.measured(row.point.model, row.amounts) for row in rows if row.counts])


@dataclass(frozen=True)
class Comparison:
    """A search by prediction beside its rivals at equal cost, medians over seeds."""

    points: int
    candidates: int
    """Made by the search."""
    share: float
    rival_candidates: int
    """Made by each rival: those of the search and what its single changes cost."""
    rivals: Mapping[str, float]
    """Share of the hypervolume by method."""
    in_interval: float
    """Share of later measurements in their 80 % intervals, over all seeds."""
    latency_correlation: float


def compare(table: Table, seeds: int = 5, most_share: float = 0.2) -> Comparison:
    """Compares a search that makes at most a share of the points with its rivals.

    Args:
        table: See :func:`read_table`.
        seeds: Searches of each method.
        most_share: Of the points, 0..1.
    """
    most = int(most_share * len(table.rows))
    own = [replay(table, "proxy", most, seed) for seed in range(seeds)]
    made = max(each.made for each in own)
    rival_most = round(made + TableNetwork(table).singles_cost)
    rivals = {
        method: float(np.median([replay(table, method, rival_most, seed).share for seed in range(seeds)]))
        for method in RIVALS
    }
    forecasts = [each.forecasts for each in own]
    return Comparison(
        points=len(table.rows),
        candidates=made,
        share=float(np.median([each.share for each in own])),
        rival_candidates=rival_most,
        rivals=rivals,
        in_interval=float(np.mean([each.in_interval for each in forecasts if each.in_interval is not None])),
        latency_correlation=float(
            np.median([each.latency_correlation for each in forecasts if each.latency_correlation is not None])
        ),
    )
