"""Finds the token plan of one backend on one target, in stages of a run: block times → divergence → plans → trials."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from edgevit.artifacts.evaluate import score
from edgevit.backends import Backend
from edgevit.data.images import Samples, open_samples
from edgevit.data.preprocess import preprocess
from edgevit.pipeline.token_search.block_latency import BlockLatencyJob, block_latency
from edgevit.pipeline.token_search.block_programs import capture_blocks
from edgevit.pipeline.token_search.divergence import over_batches, site_divergences
from edgevit.pipeline.token_search.search import Choice, ModelShape, PlannedPlan, choose_plan, faster_plans
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.artifact import Preprocessing
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch
from edgevit.run.stages import Workshop
from edgevit.spec.token_plan import Form, TokenPlan
from edgevit.tokens.reduce import check_reducible, reduce_tokens

DIVERGENCE_IMAGES = 96
"""At most; a mean over images needs fewer of them than a count of lost ones."""
MOST_IMAGES = 2000
"""Lost points are counted on at most so many; whatever is chosen is evaluated on all later on."""
_DIVERGENCE_BLOCKS = 5
_BATCH = 16


@dataclass(frozen=True)
class LostPoints:
    """What a plan lost."""

    points: float


def find_plan(
    shop: Workshop,
    module: nn.Module,
    backend: Backend,
    preprocessing: Preprocessing,
    images: Samples,
    labels: tuple[int, ...] | None,
    dense_logits: np.ndarray,
    limit_points: float,
    device: str | None,
    forms: tuple[Form, ...],
) -> TokenSearch:
    """Finds the fastest token plan that loses no more than the limit.

    What a plan loses does not depend on the backend: stages that find it out are shared by all searches of a run, which
    therefore have to be for the same module and images.

    Args:
        shop: Where the run takes place.
        module: As it would be exported without token reduction, in eval mode.
        backend: Whose artifacts are to be fast.
        preprocessing: Of the module.
        images: Real ones; plans are carried out on them in PyTorch.
        labels: Of ``images``; None where there are none.
        dense_logits: What lost points are counted from, float32 [images, classes].
        limit_points: Lost points allowed: drop of top-1, or without labels share of images that get another class; in
            percentage points.
        device: Predict block times for it; None to measure them on this host.
        forms: How graphs may pick tokens; the fastest of them that the target runs is priced.

    Raises:
        UsageError: the model is none that token reduction knows.
        CandidateFailed: blocks could not be exported, or timed on the target.
    """
    check_reducible(module)
    shape = _shape(module)
    curve = _block_times(shop, module, backend, device, forms)
    plans = faster_plans(curve, _site_divergence(shop, module, preprocessing, images, shape), shape)
    trials = _Trials(shop, module, preprocessing, images, labels, dense_logits)
    choice = choose_plan(plans, trials.drop_points, limit_points)
    return TokenSearch(
        backend=backend.name,
        target=device or HOST,
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
    shop: Workshop, module: nn.Module, backend: Backend, device: str | None, forms: tuple[Form, ...]
) -> BlockCurve:
    name = f"{backend.name}-{device or HOST}"

    def make() -> BlockCurve:
        folder = shop.folder.work(f"blocks-{name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            programs = capture_blocks(module, folder, forms)
            job = BlockLatencyJob(backend.name, programs, folder / "artifacts", shop.spec.measure.threads, device)
            verb = "predict" if device else "measure"
            return shop.in_child(f"{verb} blocks {name}", f"blocks-{name}", block_latency, job)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return shop.here(f"token search: block times {name}", make, BlockCurve, lambda answer: ())


def _site_divergence(
    shop: Workshop, module: nn.Module, preprocessing: Preprocessing, images: Samples, shape: ModelShape
) -> SiteDivergence:
    stage = "token search: divergence of single sites"
    chosen = _Chosen(images, _evenly(len(images.ids), DIVERGENCE_IMAGES), preprocessing)
    total = -(-len(chosen) // _BATCH)

    def make() -> SiteDivergence:
        done = iter(range(1, total + 1))
        found = site_divergences(
            module,
            chosen.batches(),
            _spread(shape.site_blocks(), _DIVERGENCE_BLOCKS),
            lambda: shop.progress.stage(stage, next(done), total + 1),
        )
        return SiteDivergence(found)

    return shop.here(stage, make, SiteDivergence, lambda answer: ())


def _spread(blocks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most so many of them, the first and the last among them."""
    return tuple(blocks[place] for place in _evenly(len(blocks), most))


def _evenly(count: int, most: int) -> tuple[int, ...]:
    """At most ``most`` of the places 0..count-1, the first and the last among them, rising."""
    if count <= most:
        return tuple(range(count))
    return tuple(place * (count - 1) // (most - 1) for place in range(most))


class _Chosen:
    """Some of the images, preprocessed when first asked for and then kept."""

    def __init__(self, images: Samples, places: tuple[int, ...], preprocessing: Preprocessing) -> None:
        self._samples = Samples(images.source, tuple(images.ids[place] for place in places))
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._samples.ids)

    def batches(self) -> Iterator[torch.Tensor]:
        """Yields float32 [n, 3, h, w]."""
        for start in range(0, len(self), _BATCH):
            yield torch.from_numpy(self._pixels[start : start + _BATCH])

    @cached_property
    def _pixels(self) -> np.ndarray:
        images = open_samples(self._samples)
        pixels = np.empty((len(self), 3, *self._preprocessing.input_size), np.float32)
        for place, image_id in enumerate(images.ids):
            pixels[place] = preprocess(images.image(image_id), self._preprocessing)
        return pixels


class _Trials:
    """Carries out plans on the images in PyTorch, each once in a run."""

    def __init__(
        self,
        shop: Workshop,
        module: nn.Module,
        preprocessing: Preprocessing,
        images: Samples,
        labels: tuple[int, ...] | None,
        dense_logits: np.ndarray,
    ) -> None:
        places = _evenly(len(images.ids), MOST_IMAGES)
        self.chosen = _Chosen(images, places, preprocessing)
        self._shop, self._module = shop, module
        self._labels = None if labels is None else tuple(labels[place] for place in places)
        self._dense_logits = dense_logits[list(places)]

    def drop_points(self, plan: TokenPlan) -> float:
        """See ``limit_points`` of :func:`find_plan`."""
        stage = f"token search: try {plan}"

        def make() -> LostPoints:
            reduced, rows = reduce_tokens(self._module, plan), []
            for logits in over_batches(reduced, self.chosen.batches()):
                rows.append(logits.numpy())
                self._shop.progress.stage(stage, min(len(rows) * _BATCH, len(self.chosen)), len(self.chosen) + 1)
            return LostPoints(self._lost(np.concatenate(rows)))

        return self._shop.here(stage, make, LostPoints, lambda answer: ()).points

    def _lost(self, logits: np.ndarray) -> float:
        if self._labels is None:
            return float(100 * (logits.argmax(axis=1) != self._dense_logits.argmax(axis=1)).mean())
        drop = score(logits, self._labels, score(self._dense_logits, self._labels, None).top1).drop_points
        assert drop is not None  # there are labels
        return drop
