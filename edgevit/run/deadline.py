"""The minutes that a run may take, shared by what may stop early."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Deadline:
    """Counts from when it was made, so that a resumed run has all its minutes again."""

    max_minutes: float | None
    """Of the whole run; None without limit."""
    clock: Callable[[], float] = time.monotonic
    _begin: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_begin", self.clock())

    def has_time(self, share: float) -> bool:
        """Returns whether less than a share of the minutes has passed.

        Args:
            share: Of all minutes, 0..1; what is left is for the stages that follow.
        """
        return self.max_minutes is None or self.clock() - self._begin < 60 * self.max_minutes * share
