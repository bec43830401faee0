"""Quantizes a candidate: tries recipes up the repair ladder until one keeps the accuracy drop."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgevit import units
from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.layer_sensitivity import SensitivityJob
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.pipeline.choose import counted_drop
from edgevit.pipeline.context import CandidateDraft, RunContext
from edgevit.pipeline.images import calibration_images, evaluation_images
from edgevit.pipeline.tasks import export_task, inference_task, prepare_task, quantize_task, sensitivity_task
from edgevit.quantization.ladder import FIRST, Rung, best, climb, rungs
from edgevit.quantization.policy import first_guess, first_recipe
from edgevit.quantization.prepare import PrepareJob
from edgevit.results.candidate import Attempt, within_budget
from edgevit.run.task import Task
from edgevit.spec.recipe import Preparation, Recipe
from edgevit.spec.schemes import SCHEMES

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class QuantizedArtifact:
    """The artifact that loses least of those tried."""

    made: MadeArtifact
    recipe: Recipe
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class KeptFiles:
    """The files of an artifact at their final place."""

    files: tuple[Path, ...]
    logits: Path


def quantize_candidate(context: RunContext, draft: CandidateDraft) -> QuantizedArtifact:
    """Quantizes a candidate by the policy, then by the rungs of the repair ladder until the accuracy drop is kept.

    Raises:
        CandidateFailed: there is no float artifact to start from, or no calibration images for a scheme that needs
            them; or nothing that was tried gave an artifact.
    """
    trials = RecipeTrials(context, draft)
    scheme, inputs = SCHEMES[draft.candidate.scheme], context.inputs
    if draft.parent is None or draft.parent.artifact is None:
        raise CandidateFailed("there is no float artifact to start from")
    if scheme.calibrated and inputs.calibration is None:
        raise CandidateFailed(f"{scheme.name} needs calibration images: give --calibration")
    limit = inputs.spec.budget.max_drop
    guess = first_guess(draft.backend.policy, context.target)
    first = first_recipe(draft.backend.policy, scheme.name, context.target)
    ladder: Iterator[Rung] = iter(())
    if scheme.name == "mixed_wi8_ai8":
        first = replace(first, float_layers=trials.ranking(first)[:1])
    parent_drop = context.drop_points(draft.parent.id)
    if inputs.calibration is not None and parent_drop is not None and within_budget(parent_drop, limit):
        ladder = rungs(first, guess, draft.backend.gptq_schemes)
    attempts = climb(first, ladder, trials.attempt, trials.ranking, limit, trials.has_time)
    chosen = best(attempts)
    if chosen.rung not in trials.tried:
        raise CandidateFailed(attempts[0].note)
    return QuantizedArtifact(trials.keep(chosen.rung), chosen.recipe, attempts)


@dataclass
class RecipeTrials:
    """Makes and evaluates what the ladder proposes, each step a stage of the run."""

    context: RunContext
    draft: CandidateDraft
    tried: dict[str, tuple[MadeArtifact, Path]] = field(default_factory=dict)
    """Artifact and logits by rung."""
    seconds: float = 0.0
    unranked: str = ""
    """Why the layers could not be ranked."""

    def attempt(self, rung: str, recipe: Recipe) -> Attempt:
        """Quantizes by a recipe and evaluates the outcome."""
        before = self.seconds
        try:
            self.tried[rung] = self._make(rung, recipe)
        except (CandidateFailed, CheckFailed, UsageError) as error:
            return Attempt(rung, recipe, None, None, None, self.seconds - before, error.message)
        logits = np.load(self.tried[rung][1])
        accuracy = self.context.evaluate(logits)
        drop = counted_drop(accuracy)
        outcome = "not judged" if drop is None else f"accuracy change {units.accuracy_change(drop, 2)}"
        self.context.stages.progress.detail(f"{self._id}: {rung}: {recipe.summary}: {outcome}")
        agreement = self.context.agreement(logits)
        return Attempt(rung, recipe, accuracy.top1, agreement, drop, self.seconds - before)

    def ranking(self, recipe: Recipe) -> tuple[str, ...]:
        """Layers that a recipe which names none would quantize, the one that loses most by it first.

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
        inputs = self.context.inputs
        calibration = calibration_images(self.context.stages, inputs, self.draft.variant.preprocessing)
        assert calibration is not None
        job = SensitivityJob(
            backend=self.draft.backend.name,
            parent=self._parent(recipe.preparations),
            recipe=recipe,
            calibration=calibration,
            threads=inputs.spec.measure.threads,
            seed=inputs.spec.seed,
        )
        stage = f"rank layers of {self._id} {_suffix(recipe.preparations)}".rstrip()
        layers = self._timed(stage, sensitivity_task(job)).layers
        in_order = sorted(layers, key=lambda layer: layer.position)
        in_float = recipe.resolved(in_order).float_layers
        return tuple(layer.name for layer in layers if layer.name not in in_float)

    def has_time(self) -> bool:
        """Returns whether there is time for another rung."""
        return self.seconds < 60 * self.context.inputs.spec.quantize.max_minutes

    def keep(self, rung: str) -> MadeArtifact:
        """Copies an attempt to the candidate's place."""
        made, logits = self.tried[rung]
        stages, kept_logits = self.context.stages, self.context.logits_path(self._id)
        folder = stages.folder.path / "artifacts" / self._id
        files = tuple(folder / file.relative_to(made.main.parent) for file in made.files)

        def copy() -> KeptFiles:
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in zip(made.files, files, strict=True):
                shutil.copyfile(source, target)
            shutil.copyfile(logits, kept_logits)
            return KeptFiles(files, kept_logits)

        stages.run(f"keep {self._id}", KeptFiles, copy, lambda kept: (*kept.files, kept.logits))
        return replace(made, main=folder / made.main.name, files=files)

    @property
    def _id(self) -> str:
        return self.draft.candidate.id

    def _make(self, rung: str, recipe: Recipe) -> tuple[MadeArtifact, Path]:
        name = self._id if rung == FIRST else f"{self._id} ({rung})"
        inputs = self.context.inputs
        folder = self.context.stages.folder.work(f"attempts/{self._id}/{_slug(rung)}")
        quantize_job = QuantizeJob(
            backend=self.draft.backend.name,
            parent=self._parent(recipe.preparations),
            recipe=recipe,
            calibration=calibration_images(self.context.stages, inputs, self.draft.variant.preprocessing),
            seed=inputs.spec.seed,
            folder=folder,
        )
        made = self._timed(f"quantize {name}", quantize_task(quantize_job))
        inference_job = InferenceJob(
            backend=self.draft.backend.name,
            artifact=made.main,
            images=evaluation_images(self.context.stages, inputs, self.draft.variant.preprocessing),
            threads=inputs.spec.measure.threads,
            precision=SCHEMES[recipe.scheme].precision,
            logits=folder.with_suffix(".logits.npy"),
        )
        return made, self._timed(f"evaluate {name}", inference_task(inference_job)).logits

    def _parent(self, preparations: tuple[Preparation, ...]) -> Path:
        """The float artifact to quantize: the candidate's parent, or one made from a prepared program."""
        assert self.draft.parent is not None
        assert self.draft.parent.artifact is not None
        run_folder = self.context.stages.folder
        if not preparations:
            return run_folder.path / self.draft.parent.artifact.path
        variant, backend, suffix = self.draft.variant, self.draft.backend.name, _suffix(preparations)
        prepare_job = PrepareJob(
            program=variant.program,
            calibration=calibration_images(self.context.stages, self.context.inputs, variant.preprocessing),
            steps=preparations,
            target=run_folder.work(f"{variant.slug}-{_slug(suffix)}.pt2"),
        )
        prepared = self._timed(f"prepare {variant.slug} {suffix}", prepare_task(prepare_job))
        folder = run_folder.work(f"prepared/{backend}/{variant.slug}-{_slug(suffix)}")
        export_job = ExportJob(backend, prepared.program, folder, fused="fused_ops" in preparations)
        return self._timed(f"export {backend}/{variant.slug} {suffix}", export_task(export_job)).main

    def _timed(self, stage: str, task: Task[Any, Answer]) -> Answer:
        """Carries out a stage and counts its seconds, also those of an earlier process that finished it."""
        try:
            return self.context.stages.run_in_child(stage, self._id, task)
        finally:
            self.seconds += self.context.stages.folder.seconds(stage)


def _suffix(preparations: tuple[Preparation, ...]) -> str:
    return f"({', '.join(preparations)})" if preparations else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
