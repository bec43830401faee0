"""Which points to make next: where the front, or the fastest point within a limit, is expected to gain most for the time that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edgevit.results.search import PointSettings
from edgevit.search.axes import Axes
from edgevit.search.front import gains
from edgevit.search.proxy import Predicted

_DRAWS = 32
LEAST_GAIN = 1e-3
"""Of the box of the reference point: less is not worth a candidate."""
LEAST_SPEED = 0.01
"""Of the latency of the fastest point within a limit: less is not worth a candidate."""


@dataclass(frozen=True)
class Option:
    """A point that may be made next."""

    point: PointSettings
    predicted: Predicted
    seconds: Mapping[PointSettings, float]
    """That the point itself is expected to take, last, after what has to be made before it."""
    by_time: bool = False
    """Whether it costs its seconds; otherwise all candidates cost the same."""

    @property
    def cost(self) -> float:
        """Of the point and what has to be made before it."""
        return sum(self.seconds.values()) if self.by_time else float(len(self.seconds))


@dataclass(frozen=True)
class Within:
    """The limit of a model, and what keeps it so far."""

    drop: float
    """Allowed, in points or the unit of the metric."""
    ms: float
    """Of the fastest point that keeps it."""


@dataclass(frozen=True)
class Ranked:
    """A point with what it is expected to add."""

    option: Option
    gain: float
    """Expected growth of the hypervolume as a share of the box of the reference point, or of speed as a share of a latency."""


class Proposals:
    """Expected gains of points over a front; the same for the same seed."""

    def __init__(self, axes: Axes, options: Sequence[Option], seed: int) -> None:
        """Draws what each point may turn out to be.

        Args:
            axes: What points are compared in.
            options: Points that may be made.
            seed: Of the draws.
        """
        self._axes, self._options = axes, tuple(options)
        normals = np.random.default_rng(seed).standard_normal((_DRAWS, 3))
        drawn = [axes.draws(option.point.model, option.predicted, normals) for option in options]
        self._drawn = np.array(drawn).reshape(len(drawn), _DRAWS, len(axes.objectives))

    def rank(self, front: np.ndarray) -> list[Ranked]:
        """Returns all points, the one with the largest expected gain for its time first.

        Args:
            front: Points that were made, float64 [points, objectives].
        """
        flat = self._drawn.reshape(-1, len(self._axes.objectives))
        found = gains(flat, front, self._axes.reference).reshape(len(self._options), _DRAWS).mean(axis=1)
        shares = found / self._axes.box
        ranked = [Ranked(option, float(share)) for option, share in zip(self._options, shares, strict=True)]
        return sorted(ranked, key=lambda each: (-each.gain / each.option.cost, each.option.point))

    def rank_within(self, limits: Mapping[str, Within]) -> list[Ranked]:
        """Returns the points that may turn out faster than the fastest one that keeps the limit of its model, and keep it, too.

        A front grows little by what lies close to a limit, and a user takes the fastest point within it. The gain is the
        expected improvement in latency as a share (Jones et al., 1998), counted where the limit is kept.

        Args:
            limits: By model; nothing is ranked of the others, nor where latency and accuracy are not both objectives.
        """
        if not {"top1", "p50_ms"} <= set(self._axes.objectives):
            return []
        place = {name: self._axes.objectives.index(name) for name in ("top1", "p50_ms")}
        ranked = []
        for option, drawn in zip(self._options, self._drawn, strict=True):
            model = option.point.model
            within = limits.get(model)
            if within is None:
                continue
            keeps = drawn[:, place["top1"]] - self._axes.losses[model] <= within.drop
            gained = np.maximum(0.0, within.ms - drawn[:, place["p50_ms"]]) * keeps
            ranked.append(Ranked(option, float(gained.mean()) / within.ms))
        worth = [each for each in ranked if each.gain >= LEAST_SPEED]
        return sorted(worth, key=lambda each: (-each.gain / each.option.cost, each.option.point))

    def batch(
        self,
        front: np.ndarray,
        most: int,
        seconds: float = float("inf"),
        *,
        limits: Mapping[str, Within] = MappingProxyType({}),
        everything: bool = False,
    ) -> list[Ranked]:
        """Returns points to make side by side, each chosen as if those before it had turned out as expected.

        Args:
            front: Points that were made, float64 [points, objectives].
            most: Candidates that may be made, with those that come before.
            seconds: That all of them may take, one after the other.
            limits: The first point is chosen for the sake of these, see :meth:`rank_within`; all others for the front.
            everything: Whether points are made, too, of which little is expected.
        """
        chosen: list[Ranked] = []
        planned: dict[PointSettings, None] = {}
        for place in range(most):
            worth = [each for each in self.rank(front) if everything or each.gain >= LEAST_GAIN]
            for each in [*(self.rank_within(limits) if place == 0 else ()), *worth]:
                new = [point for point in each.option.seconds if point not in planned]
                fits = len(planned) + len(new) <= most and sum(map(each.option.seconds.__getitem__, new)) <= seconds
                if new and fits and each.option.point not in planned:
                    break
            else:
                break
            chosen.append(each)
            planned |= dict.fromkeys(new)
            seconds -= sum(map(each.option.seconds.__getitem__, new))
            front = np.vstack([front, self._axes.expected(each.option.point.model, each.option.predicted)[None]])
        return chosen


def is_dominated(option: Option, front: np.ndarray, axes: Axes) -> bool:
    """Returns whether a point that was made is better even than the best ends of what is predicted.

    Args:
        option: Not made.
        front: Points that were made, float64 [points, objectives].
        axes: What points are compared in.
    """
    best = axes.best_case(option.point.model, option.predicted)
    return bool((best >= axes.reference).any() or (front <= best).all(axis=1).any())
