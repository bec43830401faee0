"""Carries out plans in PyTorch, on as many images as it takes to tell that they lose too much; else on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.artifacts.decisions import class_logits
from edgevit.artifacts.metrics.judge import score_with_drop
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.data.prepared import PreparedImages
from edgevit.model.over_batches import over_batches
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.model_passes import load_trained
from edgevit.pipeline.token_search.early_answer import Seen, margins
from edgevit.pipeline.token_search.parts import Parts, parts_of
from edgevit.pipeline.token_search.tried_plans import PlanDrop
from edgevit.results.candidate import within_budget
from edgevit.results.metric import Unit
from edgevit.spec.token_plan import Plan, ResizePlan, TokenPlan, resizing_of
from edgevit.tokens.plan import carry_out
from edgevit.tokens.resize import resize

BATCH = 8
_MOST_KEPT_BYTES = 256 << 20


class PlanTrials:
    """Plans for one module on some images of a run; each is carried out once in a run."""

    def __init__(self, context: RunContext, module: nn.Module, places: Sequence[int], limit_points: float) -> None:
        """Orders the images by how certain the original model's classes are.

        Args:
            context: The run; its images are real.
            module: In eval mode; for plans that reduce tokens a model that
                :func:`edgevit.tokens.plan.check_tokens` accepts.
            places: Of the images to use, 0 for the first of the run.
            limit_points: Drop of top-1 allowed, or without labels share of images that get another class, in percentage
                points; or the drop of the metric of the spec.
        """
        labels, chosen = context.inputs.labels, np.array(places)
        outputs = np.load(context.original.logits, mmap_mode="r")[chosen]
        logits = class_logits(outputs)
        classes = logits.argmax(axis=1) if labels is None else np.array(labels)[chosen]
        dense = margins(logits, classes)
        order = np.argsort(np.abs(dense), kind="stable")
        self._stages, self.limit_points = context.stages, limit_points
        self._places, self._classes, self._dense = chosen[order], classes[order], dense[order]
        self._inputs, self._original = context.inputs, outputs[order]
        self._tried_plans = context.tried_plans
        self._sized = _SizedModels(context, module, [int(place) for place in self._places])
        self._entering = _Entering(self._sized)

    def __len__(self) -> int:
        return len(self._dense)

    @property
    def metric_name(self) -> str:
        """What drops are of where the spec names a metric, else ""."""
        return self._inputs.metric.name if self._inputs.metric else ""

    @property
    def unit(self) -> Unit:
        """Of the metric; "%" where the spec names none."""
        return self._inputs.metric.unit if self._inputs.metric else "%"

    @property
    def points_name(self) -> str:
        """What drops are counted in, in words."""
        return "points" if self.unit == "%" else f"{self.unit} of {self.metric_name}".strip()

    @property
    def point(self) -> float:
        """What counts as one percentage point: where drops are in another unit, the largest drop allowed."""
        return 1.0 if self.unit == "%" else self._inputs.spec.budget.max_drop or 1.0

    def module(self, resized: ResizePlan | None) -> nn.Module:
        """Returns the model for images of another size, made once; that as it is for None."""
        return self._sized.module(resized)

    def parts(self, resized: ResizePlan | None) -> Parts:
        """Returns the parts of that model."""
        return self._sized.parts(resized)

    def less_certain(self, most: int) -> tuple[int, ...]:
        """Returns places of images of the less certain half, at most so many, rising; plans change them first."""
        half = self._places[: -(-len(self) // 2)]
        return tuple(sorted(int(place) for place in half[:: -(-len(half) // most)]))

    @property
    def known(self) -> dict[Plan, PlanDrop]:
        """What was found out so far, by all searches of the run with this limit or a larger one."""
        return self._tried_plans.within(self.limit_points)

    def drop_points(self, plan: Plan) -> float:
        """Carries out a plan and returns its drop in percentage points; roughly where that is far more than the limit."""
        if plan in self.known:
            return self.known[plan].points
        stage = f"token search: try {plan} within {self.limit_points:g} {self.points_name}"
        self._sized.module(resizing_of(plan))  # its images are a stage of their own
        drop = self._stages.run(stage, PlanDrop, lambda: self._carry_out(plan, stage))
        self._tried_plans.add(self.limit_points, plan, drop)
        return drop.points

    def tuned_drop(self, plan: Plan, weights: Path) -> PlanDrop:
        """Carries out a plan with tuned weights, on all images.

        Args:
            plan: As for :meth:`drop_points`.
            weights: Of a model that carries out the plan, see :func:`edgevit.pipeline.model_passes.load_trained`.
        """
        stage, resized = f"token search: try {plan}, tuned", resizing_of(plan)
        self._sized.module(resized)

        def make() -> PlanDrop:
            tuned = carry_out(self._sized.module(None), plan, "gather", self._sized.own_size).module.eval()
            load_trained(tuned, weights)
            return self._judge(lambda start: _logits(tuned, self._sized.pixels(resized, start)), stage, gives_up=False)

        return self._stages.run(stage, PlanDrop, make)

    def _carry_out(self, plan: Plan, stage: str) -> PlanDrop:
        # A smaller image is tried on all images also where it seems to lose too much: many plans depend on it.
        return self._judge(self._answers(plan), stage, gives_up=isinstance(plan, TokenPlan))

    def _judge(self, answer: Callable[[int], Tensor], stage: str, *, gives_up: bool) -> PlanDrop:
        """Counts what is lost, until it is surely too much or all images were looked at.

        Args:
            answer: Returns the logits of the batch that begins with an image.
            stage: To tell progress of.
            gives_up: Whether not all images have to be looked at.
        """
        if self._inputs.metric is not None:
            return self._judge_by(self._inputs.metric, answer, stage)
        found = np.empty(0)
        with closing(over_batches(answer, range(0, len(self), BATCH))) as answers:
            for logits in answers:
                classes = self._classes[len(found) : len(found) + len(logits)]
                found = np.concatenate([found, margins(class_logits(logits.numpy()), classes)])
                self._stages.progress.stage(stage, len(found), len(self) + 1)
                seen = Seen(self._dense, found)
                loses_too_much = not within_budget(seen.drop_points, self.limit_points)
                if gives_up and loses_too_much and seen.is_enough(self.limit_points):
                    break  # a plan that seems to hold is carried out on all images: those left mostly lose
        return PlanDrop(seen.drop_points, len(found), seen.drop_interval)

    def _judge_by(self, metric: Metric, answer: Callable[[int], Tensor], stage: str) -> PlanDrop:
        """Takes a metric of all images: what it says of some need not tell what it says of all."""
        rows: list[np.ndarray] = []
        with closing(over_batches(answer, range(0, len(self), BATCH))) as answers:
            for logits in answers:
                rows.append(logits.numpy())
                self._stages.progress.stage(stage, min(BATCH * len(rows), len(self)), len(self) + 1)
        targets = self._inputs.targets
        predictions = Predictions(
            {"logits": np.concatenate(rows)},
            {"logits": self._original},
            None if targets is None else targets[self._places],
        )
        score = score_with_drop(metric, predictions, resamples=False)
        assert score.drop is not None
        return PlanDrop(score.drop, len(self), score.drop_interval)

    def _answers(self, plan: Plan) -> Callable[[int], Tensor]:
        """A function of the place of a batch's first image, which returns the logits of the batch."""
        resized = resizing_of(plan)
        module = self._sized.module(resized)
        if isinstance(plan, ResizePlan):
            return lambda start: _logits(module, self._sized.pixels(resized, start))
        parts = self._sized.parts(resized)
        sites = plan.sites(parts.shape.patches, parts.shape.depth)
        reduced = parts.tail(plan.method, sites)
        return lambda start: _logits(reduced, self._entering.block(resized, sites[0].block, start))


def _logits(module: nn.Module, entering: Tensor) -> Tensor:
    logits: Tensor = module(entering)
    return logits


class _SizedModels:
    """A model as it is and on smaller images, each with its images; what is not asked for is not made."""

    def __init__(self, context: RunContext, module: nn.Module, places: Sequence[int]) -> None:
        self._context, self._places = context, places
        self._modules: dict[ResizePlan | None, nn.Module] = {None: module}
        self._parts: dict[ResizePlan | None, Parts] = {}
        self._images: dict[ResizePlan | None, PreparedImages] = {}
        self._images_of(None)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def own_size(self) -> tuple[int, int]:
        """Height and width in pixels that the model takes as it is."""
        return self._context.inputs.model.preprocessing.input_size

    def module(self, resized: ResizePlan | None) -> nn.Module:
        if resized is not None and resized not in self._modules:
            self._modules[resized] = resize(self._modules[None], resized, self.own_size).module
            self._images_of(resized)
        return self._modules[resized]

    def parts(self, resized: ResizePlan | None) -> Parts:
        if resized not in self._parts:
            size = self.own_size if resized is None else (resized.size, resized.size)
            self._parts[resized] = parts_of(self.module(resized), size)
        return self._parts[resized]

    def pixels(self, resized: ResizePlan | None, start: int) -> Tensor:
        """A batch of images, float32 [n, 3, h, w]; of a size whose model was asked for."""
        places = range(start, min(start + BATCH, len(self)))
        return torch.from_numpy(self._images[resized].select(places).array())

    def _images_of(self, resized: ResizePlan | None) -> None:
        preprocessing = self._context.inputs.model.preprocessing
        if resized is not None:
            preprocessing = replace(preprocessing, input_size=(resized.size, resized.size))
        images = evaluation_images(self._context.stages, self._context.inputs, preprocessing)
        self._images[resized] = images.select(self._places)


class _Entering:
    """Tokens that enter a block, of batches of images; plans with their first site in the same block share them."""

    def __init__(self, sized: _SizedModels) -> None:
        self._sized = sized
        self._kept: dict[tuple[ResizePlan | None, int, int], Tensor] = {}
        self._kept_bytes = 0

    def block(self, resized: ResizePlan | None, first: int, start: int) -> Tensor:
        """Returns float32 [n, tokens, channels].

        Args:
            resized: On smaller images, or None.
            first: Block, counted from 1.
            start: Place of the first image of the batch.
        """
        key = (resized, first, start)
        if key in self._kept:
            return self._kept[key]
        tokens = self._sized.parts(resized).head(self._sized.pixels(resized, start), first)
        if self._kept_bytes + tokens.nbytes <= _MOST_KEPT_BYTES:
            self._kept[key] = tokens
            self._kept_bytes += tokens.nbytes
        return tokens
