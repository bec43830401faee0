"""What the token searches of a run found out about plans, for those that follow."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgevit.results.candidate import within_budget
from edgevit.results.measurement import Interval
from edgevit.spec.token_plan import Plan


@dataclass(frozen=True)
class PlanDrop:
    """What a plan lost."""

    points: float
    """Drop in percentage points of all images, as if those that were not looked at had kept their class."""
    images: int
    """That were looked at, those whose class is least certain first."""
    interval: Interval | None = None
    """Of ``points``, 95 %, for the change of the same images."""


@dataclass(frozen=True)
class TriedPlans:
    """Drops of plans for one module, by the limit that they were carried out for; threads may add to it at once."""

    _drops: dict[tuple[float, Plan], PlanDrop] = field(default_factory=dict)
    _tuned: dict[Plan, tuple[float, float]] = field(default_factory=dict)

    def add(self, limit_points: float, plan: Plan, drop: PlanDrop) -> None:
        """Takes down what a plan lost.

        Args:
            limit_points: Largest drop allowed, in percentage points: it tells how many images were looked at.
            plan: That was carried out.
            drop: What it lost.
        """
        self._drops[limit_points, plan] = drop

    def within(self, limit_points: float) -> dict[Plan, PlanDrop]:
        """Returns what is known for a limit: what was carried out for it, or for a larger one.

        Within a larger limit more images are looked at before a plan is given up, so that it tells no less.
        """
        found = sorted(self._drops.copy().items(), key=lambda item: item[0][0], reverse=True)
        return {plan: drop for (limit, plan), drop in found if limit >= limit_points}

    def add_tuned(self, plan: Plan, before_points: float, expected_points: float) -> None:
        """Takes down what a plan lost untuned and what it is expected to lose tuned, in percentage points."""
        self._tuned[plan] = before_points, expected_points

    def is_hopeless(self, before_points: float, limit_points: float) -> bool:
        """Returns whether a plan that lost no more untuned is expected to lose more than a limit tuned.

        What loses more untuned is taken to lose more tuned.

        Args:
            before_points: What a plan loses untuned, in percentage points.
            limit_points: Largest drop allowed, in percentage points.
        """
        tuned = tuple(self._tuned.copy().values())
        return any(before <= before_points and not within_budget(after, limit_points) for before, after in tuned)
