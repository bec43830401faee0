"""Progress of a long job: what it is doing and what is left. The callback's interface, and one that does nothing.

Stages run side by side, so a callback may be called from several threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PlannedStages:
    """Stages of one kind that a run is going to carry out."""

    kind: str
    """First word of their names, such as "export"."""
    count: int
    seconds: float
    """About how long each takes where it has a core for itself."""
    alone: bool = False
    """Whether nothing else runs meanwhile, as for what is timed."""


@dataclass(frozen=True)
class RunPlan:
    """What a run is going to make at least, and about how long it takes; see :mod:`edgevit.pipeline.plan`."""

    candidates: tuple[str, ...]
    """Their ids."""
    stages: tuple[PlannedStages, ...]
    jobs: int
    """Stages that run side by side."""
    seconds: float
    """About how long all of it takes."""
    may_add: tuple[str, ...] = ()
    """What may come on top, in words, such as the repair ladder."""

    @property
    def stage_count(self) -> int:
        """How many stages it has at least."""
        return sum(stages.count for stages in self.stages)


class Progress(Protocol):
    """Receives what a run does; :mod:`edgevit.cli.terminal` has those that print it."""

    def begin(self, plan: RunPlan) -> None:
        """Receives what the run is going to make; a command without a plan never calls it."""

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Receives that a stage reached step ``done`` of ``total``, and what that gave; the first call of a name begins it."""

    def failed(self, name: str) -> None:
        """Receives that a stage ended without a result."""

    def candidate(self, text: str) -> None:
        """Receives the line about a candidate that is finished: what it reached, or why it is rejected."""

    def message(self, text: str) -> None:
        """Receives a line that everybody has to see, such as a warning."""

    def detail(self, text: str) -> None:
        """Receives a line for those who want to know how something came about, such as one rung of the repair ladder."""


class Silent:
    """Progress callback that does nothing; the default of the Python API."""

    def begin(self, plan: RunPlan) -> None:
        """Does nothing."""

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Does nothing."""

    def failed(self, name: str) -> None:
        """Does nothing."""

    def candidate(self, text: str) -> None:
        """Does nothing."""

    def message(self, text: str) -> None:
        """Does nothing."""

    def detail(self, text: str) -> None:
        """Does nothing."""
