"""What the token searches of a run found out about plans, for those that follow."""

from __future__ import annotations

from dataclasses import dataclass, field

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

    def add(self, limit_points: float, plan: Plan, drop: PlanDrop) -> None:
        """Takes down what a plan lost.

        Args:
            limit_points: Largest drop allowed, in percentage points: it tells how many images were looked at.
            plan: That was carried out.
            drop: What it lost.
        """
        self._drops[limit_points, plan] = drop

    def within(self, limit_points: float) -> dict[Plan, PlanDrop]:
        """Returns all that was carried out for a limit."""
        return {plan: drop for (limit, plan), drop in tuple(self._drops.items()) if limit == limit_points}
