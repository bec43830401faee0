"""Quantizes a candidate, and repairs it on the ladder until it keeps the drop."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from edgevit.artifacts.evaluate import InferenceJob, run_images, save_logits, score
from edgevit.artifacts.layer_sensitivity import SensitivityJob, layer_sensitivity
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob, export_float, quantize
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.pipeline.context import Draft, Job
from edgevit.quantization.ladder import FIRST, Rung, best, climb, rungs
from edgevit.quantization.policy import first_guess, first_recipe
from edgevit.quantization.prepare import PrepareJob, prepare
from edgevit.results.candidate import Attempt
from edgevit.spec.recipe import Preparation, Recipe
from edgevit.spec.schemes import SCHEMES

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Repaired:
    """The artifact that loses least of those tried."""

    made: MadeArtifact
    recipe: Recipe
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class Kept:
    """The files of an artifact at their final place."""

    files: tuple[Path, ...]
    logits: Path


def quantize_and_repair(job: Job, draft: Draft) -> Repaired:
    """Quantizes a candidate by the policy, then climbs the ladder until the accuracy drop is kept.

    Raises:
        CandidateFailed: there is no float artifact to start from, or no calibration images for a scheme that needs
            them; or nothing that was tried gave an artifact.
    """
    bench = _Workbench(job, draft)
    scheme = SCHEMES[draft.candidate.scheme]
    if draft.parent is None or draft.parent.artifact is None:
        raise CandidateFailed("there is no float artifact to start from")
    if scheme.calibrated and job.calibration is None:
        raise CandidateFailed(f"{scheme.name} needs calibration images: give --calibration")
    limit = job.shop.spec.budget.max_drop
    rule = first_guess(draft.backend.policy, job.target)
    first = first_recipe(draft.backend.policy, scheme.name, job.target)
    ladder: Iterator[Rung] = iter(())
    if scheme.name == "mixed_wi8_ai8":
        first = replace(first, float_layers=bench.ranking(first)[:1])
    if job.calibration is not None and job.judged and bench.parent_loses() <= limit:
        ladder = rungs(first, rule, draft.backend.gptq_schemes)
    attempts = climb(first, ladder, bench.attempt, bench.ranking, limit, bench.has_time)
    chosen = best(attempts)
    if chosen.rung not in bench.tried:
        raise CandidateFailed(attempts[0].note)
    return Repaired(bench.keep(chosen.rung), chosen.recipe, attempts)


@dataclass
class _Workbench:
    """Makes and judges what the ladder proposes, each step a stage of the run."""

    job: Job
    draft: Draft
    tried: dict[str, tuple[MadeArtifact, Path]] = field(default_factory=dict)
    """Artifact and logits by rung."""
    seconds: float = 0.0
    unranked: str = ""
    """Why the layers could not be ranked."""

    def attempt(self, rung: str, recipe: Recipe) -> Attempt:
        """Quantizes by a recipe and judges the outcome."""
        before = self.seconds
        try:
            self.tried[rung] = self._make(rung, recipe)
        except (CandidateFailed, CheckFailed, UsageError) as error:
            return Attempt(rung, recipe, None, None, None, self.seconds - before, error.message)
        logits = np.load(self.tried[rung][1])
        lost = self.job.drop_points(logits)
        top1 = score(logits, self.job.labels, None).top1
        self.job.shop.progress.message(
            f"{self._id}: {rung}: {recipe.summary}: "
            + (f"loses {lost:.2f} points" if lost is not None else "not judged")
        )
        return Attempt(rung, recipe, top1, self.job.agreement(logits), lost, self.seconds - before)

    def ranking(self, recipe: Recipe) -> tuple[str, ...]:
        """Layers that a recipe without islands would quantize, the one that loses most by it first.

        Raises:
            CandidateFailed: they could not be ranked, now or before; that is not tried twice.
        """
        recipe = replace(recipe, float_layers=())
        if self.unranked:
            raise CandidateFailed(self.unranked)
        try:
            return self._rank(recipe)
        except (CandidateFailed, CheckFailed) as error:
            self.unranked = error.message
            raise CandidateFailed(error.message) from error

    def _rank(self, recipe: Recipe) -> tuple[str, ...]:
        assert self.job.calibration is not None
        job = SensitivityJob(
            backend=self.draft.backend.name,
            parent=self._parent(recipe.preparations),
            recipe=recipe,
            calibration=self.job.calibration,
            preprocessing=self.draft.variant.preprocessing,
            threads=self.job.shop.spec.measure.threads,
            seed=self.job.shop.spec.seed,
        )
        stage = f"rank layers of {self._id} {_suffix(recipe.preparations)}".rstrip()
        layers = self._timed(stage, layer_sensitivity, job).layers
        in_order = sorted(layers, key=lambda layer: layer.position)
        in_float = recipe.resolved(in_order).float_layers
        return tuple(layer.name for layer in layers if layer.name not in in_float)

    def has_time(self) -> bool:
        """Whether the search may go on."""
        return self.seconds < 60 * self.job.shop.spec.quantize.max_minutes

    def parent_loses(self) -> float:
        """What the float parent loses already; no ladder leads above it."""
        assert self.draft.parent is not None
        path = self.job.logits_path(self.draft.parent.id)
        lost = self.job.drop_points(np.load(path)) if path.is_file() else None
        return float("inf") if lost is None else lost

    def keep(self, rung: str) -> MadeArtifact:
        """Copies an attempt to the candidate's place."""
        made, logits = self.tried[rung]
        folder = self.job.shop.folder.path / "artifacts" / self._id
        files = tuple(folder / file.relative_to(made.main.parent) for file in made.files)

        def copy() -> Kept:
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in zip(made.files, files, strict=True):
                shutil.copyfile(source, target)
            save_logits(self.job.logits_path(self._id), np.load(logits))
            return Kept(files, self.job.logits_path(self._id))

        self.job.shop.here(f"keep {self._id}", copy, Kept, lambda kept: (*kept.files, kept.logits))
        return replace(made, main=folder / made.main.name, files=files)

    @property
    def _id(self) -> str:
        return self.draft.candidate.id

    def _make(self, rung: str, recipe: Recipe) -> tuple[MadeArtifact, Path]:
        name = self._id if rung == FIRST else f"{self._id} ({rung})"
        folder = self.job.shop.folder.work(f"attempts/{self._id}/{_slug(rung)}")
        quantize_job = QuantizeJob(
            backend=self.draft.backend.name,
            parent=self._parent(recipe.preparations),
            recipe=recipe,
            calibration=self.job.calibration,
            preprocessing=self.draft.variant.preprocessing,
            seed=self.job.shop.spec.seed,
            folder=folder,
        )
        made = self._timed(f"quantize {name}", quantize, quantize_job, lambda answer: answer.files)
        inference_job = InferenceJob(
            backend=self.draft.backend.name,
            artifact=made.main,
            samples=self.job.images,
            preprocessing=self.draft.variant.preprocessing,
            threads=self.job.shop.spec.measure.threads,
            precision=SCHEMES[recipe.scheme].precision,
            logits=folder.with_suffix(".logits.npy"),
        )
        return made, self._timed(f"evaluate {name}", run_images, inference_job, lambda answer: (answer.logits,)).logits

    def _parent(self, preparations: tuple[Preparation, ...]) -> Path:
        """The float artifact to quantize: the candidate's parent, or one made from prepared weights."""
        assert self.draft.parent is not None
        assert self.draft.parent.artifact is not None
        if not preparations:
            return self.job.shop.folder.path / self.draft.parent.artifact.path
        variant, backend, suffix = self.draft.variant, self.draft.backend.name, _suffix(preparations)
        prepare_job = PrepareJob(
            program=variant.program,
            calibration=self.job.calibration,
            preprocessing=self.draft.variant.preprocessing,
            steps=preparations,
            target=self.job.shop.folder.work(f"{variant.slug}-{_slug(suffix)}.pt2"),
        )
        prepared = self._timed(
            f"prepare {variant.slug} {suffix}", prepare, prepare_job, lambda answer: (answer.program,)
        )
        folder = self.job.shop.folder.work(f"prepared/{backend}/{variant.slug}-{_slug(suffix)}")
        export_job = ExportJob(backend, prepared.program, folder, fused="fused_ops" in preparations)
        made = self._timed(
            f"export {backend}/{variant.slug} {suffix}", export_float, export_job, lambda answer: answer.files
        )
        return made.main

    def _timed(
        self,
        stage: str,
        function: Callable[[Argument], Answer],
        argument: Argument,
        files: Callable[[Answer], tuple[Path, ...]] = lambda answer: (),
    ) -> Answer:
        """Carries out a stage and counts its seconds, also those of an earlier process that finished it."""
        stages = self.job.shop.folder.stages
        before = len(stages)
        try:
            return self.job.shop.in_child(stage, self._id, function, argument, files)
        finally:
            self.seconds += sum(stage.seconds for stage in stages[before:])


def _suffix(preparations: tuple[Preparation, ...]) -> str:
    return f"({', '.join(preparations)})" if preparations else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
