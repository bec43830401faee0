"""Carries out plans in PyTorch, on as many images as it takes to tell that they lose too much; else on all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.data.prepared import PreparedImages
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.token_search.divergence import over_batches
from edgevit.pipeline.token_search.early_answer import Seen, margins
from edgevit.pipeline.token_search.tried_plans import PlanDrop
from edgevit.pipeline.token_search.vit_parts import head, tail
from edgevit.results.candidate import within_budget
from edgevit.spec.token_plan import Site, TokenPlan
from edgevit.tokens.reduce import ReducedVisionTransformer, plan_sites

BATCH = 8
_MOST_KEPT_BYTES = 256 << 20


class PlanTrials:
    """Plans for one module on some images of a run; each is carried out once in a run."""

    def __init__(self, context: RunContext, module: nn.Module, places: Sequence[int], limit_points: float) -> None:
        """Orders the images by how certain the original model's classes are.

        Args:
            context: The run; its images are real.
            module: A model that :func:`edgevit.tokens.reduce.check_reducible` accepts, in eval mode.
            places: Of the images to use, 0 for the first of the run.
            limit_points: Drop of top-1 allowed, or without labels share of images that get another class; in
                percentage points.
        """
        labels, chosen = context.inputs.labels, np.array(places)
        logits = np.load(context.original.logits, mmap_mode="r")[chosen]
        classes = logits.argmax(axis=1) if labels is None else np.array(labels)[chosen]
        dense = margins(logits, classes)
        order = np.argsort(np.abs(dense), kind="stable")
        images = evaluation_images(context.stages, context.inputs, context.inputs.model.preprocessing)
        self._stages, self._module, self.limit_points = context.stages, module, limit_points
        self._places, self._classes, self._dense = chosen[order], classes[order], dense[order]
        self._tried_plans = context.tried_plans
        self._entering = _Entering(module, images.select([int(place) for place in chosen[order]]))

    def __len__(self) -> int:
        return len(self._dense)

    def less_certain(self, most: int) -> tuple[int, ...]:
        """Returns places of images of the less certain half, at most so many, rising; plans change them first."""
        half = self._places[: -(-len(self) // 2)]
        return tuple(sorted(int(place) for place in half[:: -(-len(half) // most)]))

    @property
    def known(self) -> dict[TokenPlan, PlanDrop]:
        """What was found out so far, by all searches of the run with this limit."""
        return self._tried_plans.within(self.limit_points)

    def drop_points(self, plan: TokenPlan) -> float:
        """Carries out a plan and returns its drop in percentage points; roughly where that is far more than the limit."""
        stage = f"token search: try {plan} within {self.limit_points:g} points"
        drop = self._stages.run(stage, PlanDrop, lambda: self._carry_out(plan, stage))
        self._tried_plans.add(self.limit_points, plan, drop)
        return drop.points

    def _carry_out(self, plan: TokenPlan, stage: str) -> PlanDrop:
        sites = plan_sites(self._module, plan)
        first = sites[0].block
        shifted = tuple(Site(site.block - first + 1, site.tokens) for site in sites)
        reduced = ReducedVisionTransformer(tail(self._module, first), plan.method, shifted, "gather")

        def run(start: int) -> Tensor:
            logits: Tensor = reduced(self._entering.block(first, start))
            return logits

        found = np.empty(0)
        with closing(over_batches(run, range(0, len(self), BATCH))) as answers:
            for logits in answers:
                classes = self._classes[len(found) : len(found) + len(logits)]
                found = np.concatenate([found, margins(logits.numpy(), classes)])
                self._stages.progress.stage(stage, len(found), len(self) + 1)
                seen = Seen(self._dense, found)
                loses_too_much = not within_budget(seen.drop_points, self.limit_points)
                if loses_too_much and seen.is_enough(self.limit_points):
                    break  # a plan that seems to hold is carried out on all images: those left mostly lose
        return PlanDrop(seen.drop_points, len(found))


class _Entering:
    """Tokens that enter a block, of batches of images; plans with their first site in the same block share them."""

    def __init__(self, module: nn.Module, images: PreparedImages) -> None:
        self._module, self._images = module, images
        self._kept: dict[tuple[int, int], Tensor] = {}
        self._kept_bytes = 0

    def block(self, first: int, start: int) -> Tensor:
        """Returns float32 [n, tokens, channels].

        Args:
            first: Block, counted from 1.
            start: Place of the first image of the batch.
        """
        if (first, start) in self._kept:
            return self._kept[first, start]
        places = range(start, min(start + BATCH, len(self._images)))
        tokens = head(self._module, torch.from_numpy(self._images.select(places).array()), first)
        if self._kept_bytes + tokens.nbytes <= _MOST_KEPT_BYTES:
            self._kept[first, start] = tokens
            self._kept_bytes += tokens.nbytes
        return tokens
