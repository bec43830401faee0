"""The search itself: proposes, makes, tells, until the budget is spent or nothing is worth making."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from edgevit.results.search import PointSettings
from edgevit.search.network import Evaluation, Network
from edgevit.search.search_budget import Budget
from edgevit.search.space import to_make
from edgevit.search.strategy import Strategy

_LEAST_BATCH = 4
"""Candidates: a tuned point may need three others before it."""


class Loop:
    """Carries out a search; ``made`` and ``ended`` tell how far it is, also after an interrupt."""

    def __init__(
        self,
        networks: Sequence[Network],
        strategy: Strategy,
        budget: Budget,
        on_made: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins with nothing made.

        Args:
            networks: Models.
            strategy: Chooses points.
            budget: What may be spent.
            on_made: Called after each candidate.
        """
        self.made: dict[PointSettings, Evaluation] = {}
        self.ended = ""
        self._networks = {network.name: network for network in networks}
        self._strategy, self._budget = strategy, budget
        self._on_made = on_made
        self._lock = threading.Lock()

    def run(
        self,
        at_once: int,
        reserve: Callable[[], float] = lambda: 0.0,
        learn: Callable[[], None] = lambda: None,
    ) -> None:
        """Searches.

        Args:
            at_once: Candidates that are made side by side.
            reserve: Tells the seconds that have to be left when it ends.
            learn: Called after each batch, to find out more about the models.
        """
        while not self.ended:
            most = min(max(_LEAST_BATCH, 2 * at_once), self._budget.trials_left)
            if not most:
                self.ended = f"all {self._budget.max_trials} trials were made"
                break
            seconds = self._budget.usable_seconds(reserve())
            points = self._strategy.propose(self.made, most, seconds)
            if points:
                self._make(points)
                learn()
            else:
                self.ended = self._strategy.ended + (
                    self._limits(most, seconds) if self._is_short(most, seconds) else ""
                )

    def _make(self, points: Sequence[PointSettings]) -> None:
        expected, begin, before = self._seconds(points), self._budget.clock(), tuple(self.made)
        for (
            name,
            network,
        ) in self._networks.items():  # each may have an executor of its own: nothing else while one times
            of_model = [point for point in points if point.model == name]
            if of_model:
                network.make_together(of_model, self._tell)
        new = sorted(point for point in self.made if point not in before)  # whatever ended first
        self.made = {point: self.made[point] for point in (*before, *new)}
        self._budget.spend(len(new), expected, self._budget.clock() - begin)
        if not new:
            raise RuntimeError(f"{', '.join(point.id for point in points)}: proposed, and neither made nor failed")

    def _is_short(self, most: int, seconds: float) -> bool:
        """Whether the budget leaves out points that were not made."""
        left = [p for network in self._networks.values() for p in network.points if p not in self.made]
        return any(len(to_make(point, self.made)) > most or self._seconds([point]) > seconds for point in left)

    def _limits(self, most: int, seconds: float) -> str:
        if seconds <= 0:
            return "; the time is up"
        time = f" and {seconds:.0f} seconds" if seconds < float("inf") else ""
        return f"; {most} candidates{time} are left, and others need more"

    def _seconds(self, points: Sequence[PointSettings]) -> float:
        """That points take with their parents, one after the other."""
        everything = dict.fromkeys(each for point in points for each in to_make(point, self.made))
        return sum(self._networks[point.model].seconds(point) for point in everything)

    def _tell(self, evaluation: Evaluation) -> None:
        with self._lock:
            self.made.setdefault(evaluation.point, evaluation)
            self._on_made()
