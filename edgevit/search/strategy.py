"""Chooses points by prediction: single changes added up, corrected by what was made, the largest expected gain first.

Where minutes are limited, one point of each batch is chosen for the fastest one within the drop allowed, the others for the front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgevit.results.search import PointSettings
from edgevit.search.axes import Axes
from edgevit.search.network import Evaluation, Network
from edgevit.search.propose import Option, Proposals, Within, is_dominated
from edgevit.search.proxy import Predicted, Proxy
from edgevit.search.space import FLOAT, parents, to_make

Made = Mapping[PointSettings, Evaluation]


class Strategy(Protocol):
    """Proposes points from what was made so far."""

    def propose(self, made: Made, most: int, seconds: float) -> tuple[PointSettings, ...]:
        """Returns points to make next; none where nothing is worth making.

        Args:
            made: What was made so far.
            most: Points to make at most, with their parents.
            seconds: That a batch may be expected to take.
        """

    @property
    def ended(self) -> str:
        """Why nothing is worth making."""


class InOrder:
    """Proposes every point, in the order of the spaces."""

    ended = "every point was made"

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def propose(self, made: Made, most: int, seconds: float) -> tuple[PointSettings, ...]:
        """See :class:`Strategy`."""
        chosen, planned = list[PointSettings](), dict[PointSettings, None]()
        for network in self._networks:
            for point in network.points:
                if point in made or any(parent in made and made[parent].amounts is None for parent in parents(point)):
                    continue
                new = [each for each in to_make(point, made) if each not in planned]
                cost = sum(map(network.seconds, new))
                if new and len(planned) + len(new) <= most and cost <= seconds:
                    chosen.append(point)
                    planned |= dict.fromkeys(new)
                    seconds -= cost
        return tuple(chosen)


@dataclass(frozen=True)
class Outlook:
    """A point that was not made."""

    predicted: Predicted
    dominated: bool
    """Whether a point that was made is better even than the best ends of what is predicted."""


class ByPrediction:
    """See :mod:`edgevit.search.strategy`; the same for the same seed and the same points made."""

    def __init__(self, networks: Sequence[Network], axes: Axes, seed: int, *, by_time: bool = False) -> None:
        """Begins.

        Args:
            networks: Models.
            axes: What points are compared in.
            seed: Of what is drawn.
            by_time: Whether candidates cost their seconds; otherwise all cost the same.
        """
        self._networks, self._axes, self._seed, self._by_time = tuple(networks), axes, seed, by_time
        self.forecasts: dict[PointSettings, Predicted] = {}
        """Of the points that were proposed, before they were made."""

    @property
    def ended(self) -> str:
        """Why nothing is worth making."""
        if all(network.adds_up for network in self._networks):
            return "no other point is expected to add to the front"
        return "every point was made"

    def propose(self, made: Made, most: int, seconds: float) -> tuple[PointSettings, ...]:
        """See :class:`Strategy`: first the dense float model of each runtime, for all else is predicted from them."""
        dense = [point for network in self._networks for point in _dense(network) if point not in made]
        if dense:
            return tuple(dense[:most])
        everything = not all(network.adds_up for network in self._networks)
        options = self._options(made)
        proposals = Proposals(self._axes, options, self._seed + len(made))
        ranked = proposals.batch(
            self.front(made), most, seconds, limits=self._within(made) if self._by_time else {}, everything=everything
        )
        predicted = {option.point: option.predicted for option in options}
        for each in ranked:
            self.forecasts |= {point: predicted[point] for point in each.option.seconds if point in predicted}
        return tuple(each.option.point for each in ranked)

    def _within(self, made: Made) -> dict[str, Within]:
        """Of each model of which a point was timed that keeps the drop allowed."""
        limits = {network.name: network.max_drop for network in self._networks}
        fastest = dict[str, float]()
        for point, each in made.items():
            if each.counts and each.amounts and each.amounts.ms and each.amounts.drop <= limits[point.model]:
                fastest[point.model] = min(each.amounts.ms, fastest.get(point.model, math.inf))
        return {model: Within(limits[model], ms) for model, ms in fastest.items()}

    def front(self, made: Made) -> np.ndarray:
        """Returns the points that were made and count, float64 [points, objectives]."""
        rows = [
            self._axes.measured(point.model, each.amounts)
            for point, each in made.items()
            if each.counts and each.amounts is not None
        ]
        return np.array(rows).reshape(len(rows), len(self._axes.objectives))

    def outlook(self, made: Made) -> dict[PointSettings, Outlook]:
        """Returns what is expected of the points that were not made, the most promising first."""
        front = self.front(made)
        adds_up = {network.name: network.adds_up for network in self._networks}
        options = self._options(made)
        ranked = Proposals(self._axes, options, self._seed).rank(front) if options else []
        return {
            each.option.point: Outlook(
                each.option.predicted,
                adds_up[each.option.point.model] and is_dominated(each.option, front, self._axes),
            )
            for each in ranked
        }

    def _options(self, made: Made) -> list[Option]:
        found = []
        for network in self._networks:
            of_model = {
                point: each.amounts
                for point, each in made.items()
                if point.model == network.name and each.amounts is not None
            }
            proxy = Proxy(network.singles, of_model, network.noise_points)
            for point in network.points:
                if point in made:
                    continue
                makes = to_make(point, made)
                if any(parent in made and made[parent].amounts is None for parent in parents(point)):
                    continue  # what it would be made from failed
                seconds = {each: network.seconds(each) for each in makes}
                found.append(Option(point, proxy.predict(point), seconds, by_time=self._by_time))
        return found


def _dense(network: Network) -> list[PointSettings]:
    return [point for point in network.points if point.changes == 0 and point.scheme == FLOAT]
