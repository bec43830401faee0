"""How much a search looks at, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit.pipeline.context import RunContext
from edgevit.run.deadline import Deadline


@dataclass(frozen=True)
class SearchEffort:
    """How much a search looks at."""

    divergence_images: int = 64
    """At most; a mean over images needs fewer of them than a count of lost ones."""
    trial_images: int = 2000
    """The accuracy drop is counted on at most so many; whatever is chosen is evaluated on all later on."""
    most_sizes: int = 4
    """Smaller images that are tried at most, before plans."""
    most_trials: int = 12
    """Plans that are carried out at most, before the blocks of the best one are measured; twice as many if none holds."""
    most_later_trials: int = 5
    """The same where a plan is known to hold, from another backend or an earlier choice."""
    most_choices: int = 3
    """Times that plans are chosen, each time with more measured blocks."""
    share_of_minutes: float = 0.4
    """Of those that the run may take: when so much of them has passed, the best plan so far is what was found."""


DEFAULT_EFFORT = SearchEffort()


class SearchTime:
    """Whether there is time, and whether there was too little."""

    def __init__(self, has_time: Callable[[], bool]) -> None:
        """Asks ``has_time`` until it says no."""
        self._has_time = has_time
        self.was_over = False

    @classmethod
    def of(cls, context: RunContext, effort: SearchEffort) -> SearchTime:
        """Returns the time of a search that begins now, in a run that has minutes of its own."""
        own = Deadline(context.inputs.spec.passes.search_minutes)
        return cls(lambda: own.has_time(1.0) and context.deadline.has_time(effort.share_of_minutes))

    def __call__(self) -> bool:
        """Returns whether there is time left."""
        self.was_over = self.was_over or not self._has_time()
        return not self.was_over


def evenly(count: int, most: int) -> tuple[int, ...]:
    """Returns at most ``most`` of the places 0..count-1, the first and the last among them, rising."""
    if count <= most:
        return tuple(range(count))
    return tuple(place * (count - 1) // (most - 1) for place in range(most))
