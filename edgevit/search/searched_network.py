"""A model of a search with everything that is known of it before points are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from edgevit.pipeline.context import RunContext
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.results.search import PointSettings, Struck
from edgevit.results.token_search import TokenSearch
from edgevit.search.costs import candidate_seconds
from edgevit.search.integer_program import Option, choose_levels
from edgevit.search.make_points import PointMaker
from edgevit.search.model_space import LAYER_SCHEME, NOT_SEARCHED, Asked, model_space
from edgevit.search.network import Evaluation
from edgevit.search.plans import SearchedPlans
from edgevit.search.proxy import Singles
from edgevit.search.pruned_models import named_prunings
from edgevit.search.single_changes import NOT_MEASURED, PlanSingles, PrecisionSingles, slower_form
from edgevit.search.space import Change, Space
from edgevit.spec.spec import Spec

_FLOAT_SHARES = (0.01, 0.03, 0.08, 0.2, 0.4)
"""Of the time that int8 saves: limits for layers in float that the integer program chooses for."""


@dataclass
class SearchedNetwork:
    """See :class:`edgevit.search.network.Network`."""

    name: str
    spec: Spec
    """As the user asked for it."""
    context: RunContext
    trained: TrainedModel
    found: SearchedPlans
    plan_singles: PlanSingles
    maker: PointMaker
    dense_ms: dict[str, float]
    """Of the float model on the target, by backend."""
    precision: PrecisionSingles = NOT_MEASURED

    @property
    def adds_up(self) -> bool:
        """Whether points may be left out by prediction."""
        return self.precision.additivity is None or self.precision.additivity.holds

    @property
    def max_drop(self) -> float:
        """That the user allows, in points or the unit of the metric."""
        return self.spec.budget.max_drop

    @property
    def noise_points(self) -> float:
        """Of a drop, by the number of images: about a tenth of them change their class at 0.1 nats."""
        return max(0.1, 100 * math.sqrt(0.1 / max(1, len(self.context.inputs.images.ids))))

    @property
    def singles(self) -> Singles:
        """What single changes cost."""
        return Singles(
            macs=self.trained.snapshot.captured.macs,
            params=self.context.inputs.model.params,
            changes={each.settings: each for each in self.plan_singles.singles},
            speeds=self.plan_singles.speeds,
            layers=self.precision.layers,
        )

    @cached_property
    def space(self) -> Space:
        """All points but for choices of layers."""
        impossible = {struck.what: struck.reason for struck in self.plan_singles.struck}
        slower = slower_form(self.plan_singles.speeds)

        def unsupported(backend: str, change: Change) -> str:
            if backend not in self.dense_ms:
                return "the float model does not run there"
            reason = impossible.get(f"{backend} × {change.tokens} ({change.form})", "")
            return reason or ("the other form computes the same faster" if change.form == slower != "" else "")

        asked = Asked(self.name, self.spec, self.context.inputs, self.context.target)
        plans = tuple(map(str, self.found.plans))
        prunes, refused = named_prunings(self.spec.passes.prune, self.context.inputs)
        return model_space(asked, plans, self.found.refused, prunes, refused, unsupported)

    @property
    def struck(self) -> tuple[Struck, ...]:
        """Pairs that were left out."""
        left_out = tuple(name for name in self.spec.export.schemes if name in NOT_SEARCHED)
        return (
            *self.space.struck,
            *(Struck(name, f"layers are chosen one by one in {LAYER_SCHEME}", 0) for name in left_out),
        )

    @property
    def searches(self) -> tuple[TokenSearch, ...]:
        """That proposed token plans."""
        return self.found.searches

    @property
    def points(self) -> tuple[PointSettings, ...]:
        """All that may be made, with the choices of layers that the integer program proposes."""
        mixed = (
            replace(point, float_layers=layers)
            for point in self.space.points
            if point.scheme == LAYER_SCHEME
            for layers in self._layer_choices
        )
        return (*self.space.points, *mixed)

    @property
    def _layer_choices(self) -> tuple[tuple[str, ...], ...]:
        """Modules in float, for several limits of the time that they may cost."""
        layers = self.precision.layers
        if not layers:
            return ()
        total = sum(layer.macs for layer in layers)
        options = [[Option(layer.divergence, 0.0), Option(0.0, layer.macs / total)] for layer in layers]
        levels = choose_levels(options, _FLOAT_SHARES)
        chosen = (
            tuple(layer.module for layer, place in zip(layers, level.chosen, strict=True) if place) for level in levels
        )
        return tuple(names for names in dict.fromkeys(chosen) if names)

    def seconds(self, point: PointSettings) -> float:
        """Returns about how long a point takes, once its parents are made."""
        shares = {each.settings: each.mac_share for each in self.plan_singles.singles}
        share = shares.get(point.tokens, 1.0) * shares.get(point.prune, 1.0)
        return candidate_seconds(point, self.context.inputs, self.singles.macs, share)

    def make_together(self, points: Sequence[PointSettings], on_made: Callable[[Evaluation], None]) -> None:
        """Makes points and their parents side by side, each once, and tells of each as soon as it is measured."""
        self.context.stages.side_by_side([partial(self.maker.make, point, on_made) for point in points])
