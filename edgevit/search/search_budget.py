"""What a search may spend: minutes, and candidates that are really made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_TUNING_SHARE = 0.25
"""Of the minutes of a search that one fine-tuning may take."""


def tuning_minutes(own: float, max_minutes: float | None) -> float:
    """Returns how long one fine-tuning may take in a search.

    Args:
        own: Minutes that the spec allows for it.
        max_minutes: Of the search; None without limit.
    """
    return own if max_minutes is None else min(own, _TUNING_SHARE * max_minutes)


@dataclass
class Budget:
    """Counts from when it was made, so that a resumed search has all its minutes again, and finished work takes none."""

    max_minutes: float | None
    max_trials: int | None
    clock: Callable[[], float] = time.monotonic
    trials: int = 0
    """Candidates made so far."""
    _begin: float = field(init=False)
    _expected: float = 0.0
    """Seconds that what was made was expected to take."""
    _taken: float = 0.0

    def __post_init__(self) -> None:
        self._begin = self.clock()

    @property
    def minutes(self) -> float:
        """Minutes that have passed."""
        return (self.clock() - self._begin) / 60

    @property
    def trials_left(self) -> int:
        """Candidates that may still be made; very many where the number has no limit."""
        return 1_000_000 if self.max_trials is None else max(0, self.max_trials - self.trials)

    @property
    def seconds_left(self) -> float:
        """Until the last minute is over; infinite without limit."""
        return float("inf") if self.max_minutes is None else 60 * (self.max_minutes - self.minutes)

    def has_left(self, share: float) -> bool:
        """Returns whether more than a share of the minutes, 0..1, is left."""
        return self.max_minutes is None or self.seconds_left > 60 * share * self.max_minutes

    def usable_seconds(self, reserve: float) -> float:
        """Returns what may be expected to take how long, as things were expected before the experience of this search.

        Args:
            reserve: Seconds that have to be left for what comes after.
        """
        return (self.seconds_left - reserve) / self.pace

    @property
    def pace(self) -> float:
        """How many times as long as expected things took so far."""
        return self._taken / self._expected if self._expected and self._taken else 1.0

    def spend(self, candidates: int, expected: float, taken: float) -> None:
        """Counts what was made.

        Args:
            candidates: How many.
            expected: Seconds that they were expected to take.
            taken: Seconds that they took.
        """
        self.trials += candidates
        self._expected += expected
        self._taken += taken
