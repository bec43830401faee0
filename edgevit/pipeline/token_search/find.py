"""Finds the token plan of one backend on one target, in stages of a run: block times → divergence → plans → trials."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from edgevit.artifacts.accuracy import read_answers, score
from edgevit.backends import Backend
from edgevit.devices.device import Device
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.token_search.block_latency import BlockLatencyJob, block_latency
from edgevit.pipeline.token_search.block_programs import BlockSampling, capture_blocks
from edgevit.pipeline.token_search.divergence import over_batches, site_divergences
from edgevit.pipeline.token_search.search import Choice, ModelShape, PlannedPlan, choose_plan, faster_plans
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch
from edgevit.run.task import Task
from edgevit.spec.token_plan import TokenPlan
from edgevit.tokens.reduce import check_reducible, reduce_tokens

_DIVERGENCE_BLOCKS = 5
_BATCH = 16


@dataclass(frozen=True)
class SearchEffort:
    """How much a search looks at."""

    divergence_images: int = 96
    """At most; a mean over images needs fewer of them than a count of lost ones."""
    trial_images: int = 2000
    """The accuracy drop is counted on at most so many; whatever is chosen is evaluated on all later on."""
    blocks: BlockSampling = field(default_factory=BlockSampling)


@dataclass(frozen=True)
class PlanDrop:
    """What a plan lost."""

    points: float


def find_plan(
    context: RunContext,
    module: nn.Module,
    backend: Backend,
    device: Device | None,
    limit_points: float,
    effort: SearchEffort = SearchEffort(),
) -> TokenSearch:
    """Finds the fastest token plan whose accuracy drop is no larger than the limit.

    The drop does not depend on the backend: stages that find it out are shared by all searches of a run, which
    therefore have to be for the same module.

    Args:
        context: The run; plans are carried out in PyTorch on its images, which are real.
        module: As it would be exported without token reduction, in eval mode.
        backend: Whose artifacts are to be fast.
        device: Predict block times for it; None to measure them on this host.
        limit_points: Drop of top-1 allowed, or without labels share of images that get another class; in percentage
            points.
        effort: How much to look at.

    Raises:
        UsageError: the model is none that token reduction knows.
        CandidateFailed: blocks could not be exported, or timed on the target.
    """
    check_reducible(module)
    shape = _shape(module)
    curve = _block_times(context, module, backend, device, effort.blocks)
    plans = faster_plans(curve, _site_divergence(context, module, shape, effort), shape)
    trials = _Trials(context, module, effort)
    choice = choose_plan(plans, trials.drop_points, limit_points)
    return TokenSearch(
        backend=backend.name,
        target=device.name if device else HOST,
        source="predicted" if device else "measured",
        dense_ms=curve.plan_ms("", (), shape.prefix, shape.depth),
        blocks=curve.blocks,
        sites=curve.sites,
        prefix=shape.prefix,
        steps=curve.steps(),
        tried=choice.tried,
        plan=str(choice.chosen.plan) if choice.chosen else None,
        predicted_ms=choice.chosen.predicted_ms if choice.chosen else None,
        limit_points=limit_points,
        samples=len(trials.chosen),
        note=_note(choice, plans, limit_points),
    )


def _note(choice: Choice, plans: list[PlannedPlan], limit_points: float) -> str:
    if choice.chosen:
        return ""
    if not plans:
        return "no plan is faster than all tokens: reducing them costs more than it gains"
    lost = min(tried.drop_points for tried in choice.tried)
    return f"every plan tried loses more than {limit_points:g} points, {lost:.1f} at the least"


def _shape(module: nn.Module) -> ModelShape:
    vit: Any = module
    return ModelShape(int(vit.patch_embed.num_patches), int(vit.num_prefix_tokens), len(vit.blocks))


def _block_times(
    context: RunContext, module: nn.Module, backend: Backend, device: Device | None, sampling: BlockSampling
) -> BlockCurve:
    stages, name = context.stages, f"{backend.name}-{device.name if device else HOST}"

    def make() -> BlockCurve:
        folder = stages.folder.work(f"blocks-{name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            programs = capture_blocks(module, folder, context.inputs.forms, sampling)
            threads = context.inputs.spec.measure.threads
            job = BlockLatencyJob(backend.name, programs, folder / "artifacts", threads, device)
            stage = f"{'predict' if device else 'measure'} blocks {name}"
            return stages.run_in_child(stage, f"blocks-{name}", Task(block_latency, job, BlockCurve))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return stages.run(f"token search: block times {name}", BlockCurve, make)


def _site_divergence(context: RunContext, module: nn.Module, shape: ModelShape, effort: SearchEffort) -> SiteDivergence:
    stage, images = "token search: divergence of single sites", context.inputs.images
    places = _evenly(len(images.ids), effort.divergence_images)
    chosen = _Chosen(context, places)
    total = -(-len(chosen) // _BATCH)

    def make() -> SiteDivergence:
        found = site_divergences(
            module,
            chosen.batches(),
            _spread(shape.site_blocks(), _DIVERGENCE_BLOCKS),
            on_batch=lambda done: context.stages.progress.stage(stage, done, total + 1),
        )
        return SiteDivergence(found)

    return context.stages.run(stage, SiteDivergence, make)


def _spread(blocks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most so many of them, the first and the last among them."""
    return tuple(blocks[place] for place in _evenly(len(blocks), most))


def _evenly(count: int, most: int) -> tuple[int, ...]:
    """At most ``most`` of the places 0..count-1, the first and the last among them, rising."""
    if count <= most:
        return tuple(range(count))
    return tuple(place * (count - 1) // (most - 1) for place in range(most))


class _Chosen:
    """Some of the images of a run, read in batches."""

    def __init__(self, context: RunContext, places: tuple[int, ...]) -> None:
        preprocessing = context.inputs.model.preprocessing
        self._images = evaluation_images(context.stages, context.inputs, preprocessing).select(places)

    def __len__(self) -> int:
        return len(self._images)

    def batches(self) -> Iterator[torch.Tensor]:
        """Yields float32 [n, 3, h, w]."""
        return map(torch.from_numpy, self._images.batches(_BATCH))


class _Trials:
    """Carries out plans on the images in PyTorch, each once in a run."""

    def __init__(self, context: RunContext, module: nn.Module, effort: SearchEffort) -> None:
        images, labels = context.inputs.images, context.inputs.labels
        places = _evenly(len(images.ids), effort.trial_images)
        self.chosen = _Chosen(context, places)
        self._stages, self._module = context.stages, module
        self._labels = None if labels is None else tuple(labels[place] for place in places)
        self._dense_logits = np.load(context.original.logits)[list(places)]

    def drop_points(self, plan: TokenPlan) -> float:
        """See ``limit_points`` of :func:`find_plan`."""
        stage = f"token search: try {plan}"

        def make() -> PlanDrop:
            reduced, rows = reduce_tokens(self._module, plan), []
            for logits in over_batches(reduced, self.chosen.batches()):
                rows.append(logits.numpy())
                done = min(len(rows) * _BATCH, len(self.chosen))
                self._stages.progress.stage(stage, done, len(self.chosen) + 1)
            return PlanDrop(self._drop_points(np.concatenate(rows)))

        return self._stages.run(stage, PlanDrop, make).points

    def _drop_points(self, logits: np.ndarray) -> float:
        if self._labels is None:
            return float(100 * (logits.argmax(axis=1) != self._dense_logits.argmax(axis=1)).mean())
        drop = score(logits, self._labels, read_answers(self._dense_logits, self._labels)).drop_points
        assert drop is not None  # there are labels
        return drop
