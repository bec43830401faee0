"""Turns the state of a search into its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

import numpy as np

from edgevit.results.search import (
    Estimate,
    Infeasible,
    PointSettings,
    Search,
    SearchBudget,
    SearchedModel,
    SearchPoint,
)
from edgevit.run.packages import tool_versions
from edgevit.search.axes import Axes
from edgevit.search.factors import Corrected
from edgevit.search.forecasts import judge_forecasts
from edgevit.search.front import front_places, hypervolume
from edgevit.search.loop import Loop
from edgevit.search.network import Evaluation
from edgevit.search.request import SearchRequest
from edgevit.search.search_budget import Budget
from edgevit.search.searched_network import SearchedNetwork
from edgevit.search.strategy import ByPrediction, Outlook
from edgevit.version import __version__

_MOST_NOT_MADE = 400
"""Points that were not made and are told, the most promising ones."""


class Recorder:
    """Makes the document of a search, whenever it is asked for."""

    def __init__(
        self,
        request: SearchRequest,
        networks: Sequence[SearchedNetwork],
        axes: Axes,
        strategy: ByPrediction,
        budget: Budget,
    ) -> None:
        self._request, self._networks, self._axes = request, tuple(networks), axes
        self._strategy, self._budget = strategy, budget
        self._created_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.notes: tuple[str, ...] = ()
        """What has to be known of the measurements."""
        self.timed: frozenset[PointSettings] = frozenset()
        """Points that were timed in rounds, of which alone the front is then; none before."""

    def front(self, made: Mapping[PointSettings, Evaluation]) -> tuple[Evaluation, ...]:
        """Returns the points that no other beats, the fastest first."""
        counted = [
            each
            for point, each in made.items()
            if each.counts and each.amounts is not None and (not self.timed or point in self.timed)
        ]
        values = np.array([self._axes.measured(e.point.model, e.amounts) for e in counted if e.amounts])
        places = front_places(values.reshape(len(counted), len(self._axes.objectives)))
        found = [counted[place] for place in places]
        return tuple(sorted(found, key=lambda each: each.amounts.ms if each.amounts and each.amounts.ms else 0.0))

    def document(self, loop: Loop) -> Search:
        """Returns what a search found so far."""
        made = dict(loop.made)
        front = self.front(made)
        outlook = self._strategy.outlook(made) if loop.ended else {}
        ids = tuple(self._id(each.point) for each in front)
        points = (
            *(
                self._made(each, order, on_front=self._id(each.point) in ids)
                for order, each in enumerate(made.values(), 1)
            ),
            *(self._not_made(point, each) for point, each in list(outlook.items())[:_MOST_NOT_MADE]),
        )
        values = np.array([self._axes.measured(e.point.model, e.amounts) for e in front if e.amounts])
        volume = hypervolume(values, self._axes.reference) / self._axes.box if len(values) else None
        left_out = len(outlook) - _MOST_NOT_MADE
        notes = (
            *self.notes,
            *((f"{left_out} points of which less is expected are not listed",) if left_out > 0 else ()),
        )
        return Search(
            edgevit_version=__version__,
            created_at=self._created_at,
            seed=self._request.seed,
            method=self._request.method,
            objectives=self._axes.objectives,
            target=self._networks[0].maker.target,
            models=tuple(map(self._model, self._networks)),
            points=points,
            front=ids,
            hypervolume=volume,
            reference=dict(zip(self._axes.objectives, map(float, self._axes.reference), strict=True)),
            forecasts=judge_forecasts(self._strategy.forecasts, made),
            budget=SearchBudget(
                self._request.max_minutes, self._request.max_trials, round(self._budget.minutes, 2), len(made)
            ),
            ended=loop.ended,
            infeasible=self._infeasible(tuple(made.values())) if loop.ended else None,
            host=self._networks[0].context.inputs.host,
            tool_versions=tool_versions(),
            notes=notes,
        )

    def _id(self, point: PointSettings) -> str:
        return f"{point.model}/{point.id}"

    def _made(self, each: Evaluation, order: int, *, on_front: bool) -> SearchPoint:
        amounts = each.amounts
        return SearchPoint(
            id=self._id(each.point),
            settings=each.point,
            status=each.status,
            value=each.value,
            drop_points=each.drop,
            p50_ms=each.ms,
            size_bytes=Estimate(amounts.bytes, amounts.bytes, amounts.bytes, "measured") if amounts else None,
            divergence=Estimate(amounts.divergence, amounts.divergence, amounts.divergence, "measured")
            if amounts
            else None,
            on_front=on_front,
            reasons=each.reasons,
            candidate=each.candidate,
            order=order,
        )

    def _not_made(self, point: PointSettings, outlook: Outlook) -> SearchPoint:
        predicted = outlook.predicted
        return SearchPoint(
            id=self._id(point),
            settings=point,
            status="not run" if outlook.dominated else "predicted",
            value=None,
            drop_points=_predicted(predicted.drop),
            p50_ms=_predicted(predicted.ms),
            size_bytes=_predicted(predicted.bytes),
            divergence=_predicted(predicted.divergence),
            on_front=False,
            reasons=("dominated by prediction",) if outlook.dominated else (),
        )

    def _model(self, network: SearchedNetwork) -> SearchedModel:
        baseline, metric = network.context.baseline, network.context.inputs.metric
        value = baseline.metric.value if baseline.metric else baseline.top1
        return SearchedModel(
            name=network.name,
            spec=network.spec.model_dump(mode="json"),
            run=network.name,
            baseline=value,
            metric=metric.name if metric else ("top1" if value is not None else "agreement"),
            samples=len(network.context.inputs.images.ids),
            max_drop=network.spec.budget.max_drop,
            space=len(network.space.points),
            layers=len(network.precision.layers),
            struck=network.struck,
            additivity=network.precision.additivity,
            singles=network.plan_singles.singles,
            layer_singles=network.precision.layers,
            token_searches=network.searches,
            notes=(*network.found.notes, *network.context.inputs.notes),
        )

    def _infeasible(self, made: Sequence[Evaluation]) -> Infeasible | None:
        """That no compressed point keeps the drop allowed, and which one exceeds it least."""
        limits = {network.name: network.spec.budget.max_drop for network in self._networks}
        usable = [each for each in made if each.amounts and each.point.changes]
        if not usable or any(e.counts and e.amounts and e.amounts.drop <= limits[e.point.model] for e in usable):
            return None
        nearest = min(usable, key=lambda each: each.amounts.drop - limits[each.point.model] if each.amounts else 0.0)
        assert nearest.amounts is not None
        limit = limits[nearest.point.model]
        words = (
            f"no compressed point keeps max_drop {limit:g}: {self._id(nearest.point)} drops {nearest.amounts.drop:.2f}"
        )
        return Infeasible(f"max_drop {limit:g}", self._id(nearest.point), words)


def _predicted(each: Corrected) -> Estimate:
    return Estimate(each.value, each.low, each.high, "predicted")
