"""How many images are enough to tell what a plan loses: those whose class is least certain come first.

An image changes sides, from right to wrong or back, only if a plan moves its margin by more than the margin is. The
moves of the images seen so far tell how many of the others, whose margins are larger, can be expected to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevit.results.measurement import Interval
from edgevit.results.proportions import PairedCounts, paired_difference_interval

_LEAST_IMAGES = 96
_LARGER_MOVES = 1.1
"""Images with larger margins are taken to be moved by this factor more than those seen."""
_SETTLED = 1.0
"""Images that are still expected to change sides when no more are looked at."""
_SURE = 2.0
"""Standard deviations of what is not seen yet by which a plan has to lose more than the limit."""


def margins(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns by how much each image's class is ahead of all others; negative where it is not.

    Args:
        logits: float [images, classes].
        classes: int [images].

    Returns:
        float64 [images].
    """
    rows, others = np.arange(len(logits)), np.array(logits, np.float64)
    own = others[rows, classes]
    others[rows, classes] = -np.inf
    margin: np.ndarray = own - others.max(axis=1)
    return margin


@dataclass(frozen=True)
class Seen:
    """What is known after the first images, of all that are ordered by the size of their margin."""

    dense: np.ndarray
    """Margins of all images with all tokens, float64 [images], the smallest size first."""
    reduced: np.ndarray
    """Margins of the first images with fewer tokens, float64 [seen]."""

    @property
    def lost_images(self) -> int:
        """Images that became wrong, less those that became right."""
        before, after = self.dense[: len(self.reduced)] > 0, self.reduced > 0
        return int(before.sum() - after.sum())

    @property
    def drop_points(self) -> float:
        """Drop in percentage points of all images, as if all others kept their side."""
        return 100 * self.lost_images / len(self.dense)

    @property
    def drop_interval(self) -> Interval:
        """95 % interval of the drop in percentage points, as if all others kept their side."""
        before, after = self.dense > 0, np.concatenate([self.reduced, self.dense[len(self.reduced) :]]) > 0
        counts = (int((one & other).sum()) for one in (before, ~before) for other in (after, ~after))
        both, first_only, second_only, neither = counts
        found = paired_difference_interval(PairedCounts(both, first_only, second_only, neither))
        return Interval(100 * found.low, 100 * found.high)

    @property
    def expected_changes(self) -> float:
        """Images not seen yet that are expected to change sides."""
        left = np.abs(self.dense[len(self.reduced) :])
        before = self.dense[: len(self.reduced)]
        moves = np.sort(np.where(before > 0, before - self.reduced, self.reduced - before)) * _LARGER_MOVES
        further = len(moves) - np.searchsorted(moves, left, side="left")
        return float(further.sum() / len(moves))

    def is_enough(self, limit_points: float) -> bool:
        """Whether more images would hardly change whether the drop is within a limit.

        Those that are not seen yet may win as much as they lose, with the deviation that so many changes have.

        Args:
            limit_points: Largest drop allowed, in percentage points.
        """
        if len(self.reduced) == len(self.dense):
            return True
        if len(self.reduced) < _LEAST_IMAGES:
            return False
        changes = self.expected_changes
        surely_lost = self.lost_images - _SURE * changes**0.5
        return changes < _SETTLED or 100 * surely_lost / len(self.dense) > limit_points
