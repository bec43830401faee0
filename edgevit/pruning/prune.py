"""Prunes a model: which units leave is chosen by what single changes do to its predictions, what reads them is refitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from edgevit.data.prepared import PreparedImages
from edgevit.errors import UsageError
from edgevit.model.over_batches import over_batches
from edgevit.pruning.gram import Moments, input_moments
from edgevit.pruning.refit import Reader, refit
from edgevit.pruning.select import Choices, Elimination, allocate, eliminate, removals, single_divergences
from edgevit.pruning.shrink import read_weights, shrink
from edgevit.pruning.units import Group, Kind, require_groups, unit_macs
from edgevit.spec.pruning_plan import PruningPlan

_BATCH = 8
_JUDGED = 64
"""Images that single changes are measured on; a third of the images where there are few."""
_SINGLE = 0.25
"""Share of the units of a part that leave when it is measured alone."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class PartWidth:
    """Units of a part of a model."""

    name: str
    kind: Kind
    before: int
    after: int


@dataclass(frozen=True)
class Pruned:
    """A smaller model."""

    module: nn.Module
    widths: tuple[PartWidth, ...]
    """Of the parts that lost some."""
    divergence: float
    """KL from the model as it was, in nats: mean over the images that single changes were measured on, and nothing was fitted to."""
    expected: float
    """The sum of what single changes did, which a prediction of ``divergence`` would be."""


@dataclass(frozen=True)
class PruningImages:
    """What pruning is decided by: images that layers are refitted on, and others that changes are measured on.

    On the first, a layer of many inputs looks better than it is: the more so, the fewer images there are.
    """

    images: PreparedImages
    """At least two."""

    @property
    def fitted(self) -> int:
        """How many images layers are refitted on."""
        return len(self.images) - len(self._judged)

    @property
    def _judged(self) -> tuple[int, ...]:
        count = min(_JUDGED, max(1, len(self.images) // 3))
        return tuple(place * len(self.images) // count for place in range(count))

    def batches(self) -> Iterator[Tensor]:
        """Yields those to refit on.

        Yields:
            float32 [n, channels, h, w].
        """
        judged = set(self._judged)
        return self._read(tuple(place for place in range(len(self.images)) if place not in judged))

    def judged(self) -> Iterator[Tensor]:
        """Yields those to measure on, evenly spaced.

        Yields:
            float32 [n, channels, h, w].
        """
        return self._read(self._judged)

    def resized(self, input_size: tuple[int, int]) -> PruningImages:
        """Returns the same images in another size, as a model with larger patches takes them."""
        wanted = self.images.preprocessing
        if input_size == wanted.input_size:
            return self
        # the array, if there is one, is of the other size
        return PruningImages(PreparedImages(self.images.samples, replace(wanted, input_size=input_size)))

    def _read(self, places: tuple[int, ...]) -> Iterator[Tensor]:
        return map(torch.from_numpy, self.images.select(places).batches(_BATCH))


def prune(
    module: nn.Module,
    plan: PruningPlan,
    images: PruningImages,
    step: int,
    on_progress: OnProgress = lambda done, total: None,
) -> Pruned:
    """Returns a smaller model; ``module`` stays as it is.

    Heads leave first, then hidden units, then channels, each from what is left of the model.

    Args:
        module: float32 [n, channels, h, w] to logits [n, classes], in eval mode, that takes batches.
        plan: What leaves.
        images: To decide by; labels are not needed.
        step: What the widths of MLPs and channels are rounded to.
        on_progress: Callback with the images done and those to do in the present part.

    Raises:
        UsageError: the model has no such units, or fewer than are to leave.
    """
    dense = Judge(module, images)
    widths: list[PartWidth] = []
    expected = 0.0
    smaller = module
    pruners: tuple[tuple[Kind, float | None], ...] = (
        ("heads", plan.heads), ("mlp", plan.mlp), ("channels", plan.channels),
    )  # fmt: skip
    for kind, amount in pruners:
        if amount is None:
            continue
        groups = require_groups(smaller, kind)
        pruner = _Pruner(smaller, groups, dense, images, step, on_progress)
        kept, nats = pruner.heads(int(amount)) if kind == "heads" else pruner.units(amount)
        widths += [PartWidth(each.name, kind, each.units, len(left)) for each, left in kept.items()]
        smaller, expected = pruner.without(kept), expected + nats
    return Pruned(smaller.eval().requires_grad_(False), tuple(widths), dense.divergence(smaller), expected)


class Judge:
    """Compares models with the dense one, on images that nothing is fitted to."""

    def __init__(self, module: nn.Module, images: PruningImages) -> None:
        self._images = images
        self._dense = _log_probabilities(module, images)

    def divergence(self, module: nn.Module, images: PruningImages | None = None) -> float:
        """Returns KL(dense || module) in nats, the mean over images.

        Args:
            module: Of the same classes.
            images: The same in another size, for a model that takes them so.
        """
        found = _log_probabilities(module, images or self._images)
        return float((self._dense.exp() * (self._dense - found)).sum(dim=1).mean())


def _log_probabilities(module: nn.Module, images: PruningImages) -> Tensor:
    return torch.cat(list(over_batches(lambda batch: module(batch).double().log_softmax(dim=1), images.judged())))


@dataclass(frozen=True)
class _Pruner:
    """Prunes units of one kind."""

    module: nn.Module
    groups: tuple[Group, ...]
    judge: Judge
    images: PruningImages
    step: int
    on_progress: OnProgress

    @cached_property
    def moments(self) -> dict[str, Moments]:
        """Of what the readers of all groups read."""
        total = self.images.fitted
        tell = partial(_tell, self.on_progress, total)
        return input_moments(self.module, [group.reader for group in self.groups], self.images.batches(), tell)

    def units(self, share: float) -> tuple[dict[Group, list[int]], float]:
        """What stays of MLPs or channels, and the divergence to be expected."""
        costs = unit_macs(self.module, self.groups, next(self.images.judged())[:1])
        orders: dict[Group, Elimination] = {}
        choices: dict[str, Choices] = {}
        for done, group in enumerate(self.groups):
            self.on_progress(done, len(self.groups))
            steps = removals(group.units, self.step)
            orders[group] = eliminate(self._reader(group), self.moments[group.reader], steps[-1])
            measured = min(steps, key=lambda removed: abs(removed - _SINGLE * group.units))
            if len(steps) == 1:
                continue  # too few to lose some
            alone = self._divergence({group: orders[group].kept(group.units, measured)})
            nats = single_divergences(steps, orders[group].errors, measured, alone)
            choices[group.name] = Choices(steps, nats, costs[group.name])
        removed = allocate(choices, share * sum(group.units * costs[group.name] for group in self.groups))
        kept = {
            group: orders[group].kept(group.units, removed[group.name])
            for group in self.groups
            if removed.get(group.name)
        }
        expected = (each.divergences[each.removals.index(removed[name])] for name, each in choices.items())
        return kept, float(sum(expected))

    def heads(self, count: int) -> tuple[dict[Group, list[int]], float]:
        """What stays of attention: heads leave in rounds, of each part one at most, for what they do does not add up."""
        most = sum(group.units - 1 for group in self.groups)
        if count > most:
            raise UsageError(
                f"--prune heads={count}: at most {most} can leave, as one of each part stays", "give fewer"
            )
        kept = {group: list(range(group.units)) for group in self.groups}
        expected, done = 0.0, 0
        while done < count:
            now = self._divergence(kept) if done else 0.0
            alone = self._cheapest_heads(kept)
            for nats, group, head in alone[: count - done]:
                kept[group].remove(head)
                expected += max(nats - now, 0.0)
                done += 1
        return {group: heads for group, heads in kept.items() if len(heads) < group.units}, expected

    def _cheapest_heads(self, kept: Mapping[Group, list[int]]) -> list[tuple[float, Group, int]]:
        """Of each part with more than one left, the head whose removal does least, the cheapest first: in nats."""
        found = []
        for done, (group, heads) in enumerate(kept.items()):
            self.on_progress(done, len(kept))
            if len(heads) > 1:
                without = {head: {**kept, group: [each for each in heads if each != head]} for head in heads}
                nats = {head: self._divergence(left) for head, left in without.items()}
                cheapest = min(nats, key=lambda head: (nats[head], head))
                found.append((nats[cheapest], group, cheapest))
        return sorted(found, key=lambda each: (each[0], each[1].name))

    def without(self, kept: Mapping[Group, list[int]]) -> nn.Module:
        """The model with what stays, refitted."""
        readers = {
            group.reader: refit(self._reader(group), self.moments[group.reader], group.inputs(units))
            for group, units in kept.items()
            if len(units) < group.units
        }
        return shrink(self.module, kept, readers)

    def _divergence(self, kept: Mapping[Group, list[int]]) -> float:
        return self.judge.divergence(self.without(kept))

    def _reader(self, group: Group) -> Reader:
        return read_weights(self.module, group.reader)


def _tell(on_progress: OnProgress, total: int, batches: int) -> None:
    on_progress(min(total, batches * _BATCH), total)
