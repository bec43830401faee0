"""One model of a search, as strategies see it: its points, what single changes cost, and how a point is really made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevit.results.search import Estimate, PointSettings, Status
from edgevit.search.proxy import Amounts, Singles


@dataclass(frozen=True)
class Evaluation:
    """A point that was made, or why it could not be."""

    point: PointSettings
    amounts: Amounts | None
    """None where it failed."""
    status: Status = "measured"
    reasons: tuple[str, ...] = ()
    candidate: str | None = None
    """Id in the run of the model."""
    value: Estimate | None = None
    """Of the metric."""
    drop: Estimate | None = None
    ms: Estimate | None = None

    @property
    def counts(self) -> bool:
        """Whether it may be on the front."""
        return self.status == "measured" and self.amounts is not None and self.amounts.ms is not None


class Network(Protocol):
    """A model whose points are searched."""

    @property
    def name(self) -> str:
        """Of the model in this search."""

    @property
    def points(self) -> tuple[PointSettings, ...]:
        """All that may be made, with the choices of layers that the integer program proposes."""

    @property
    def max_drop(self) -> float:
        """That the user allows, in points or the unit of the metric."""

    @property
    def singles(self) -> Singles:
        """What single changes cost."""

    @property
    def adds_up(self) -> bool:
        """Whether single changes add up on this model, so that points may be left out by prediction."""

    @property
    def noise_points(self) -> float:
        """See :class:`edgevit.search.drop_map.DropMap`."""

    def seconds(self, point: PointSettings) -> float:
        """Returns about how long a point takes, once its parents are made."""

    def make_together(self, points: Sequence[PointSettings], on_made: Callable[[Evaluation], None]) -> None:
        """Makes points and their parents side by side, each once, and tells of each as soon as it is measured."""
