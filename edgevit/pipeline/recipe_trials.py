"""Quantizes a candidate: tries recipes up the repair ladder until one keeps the accuracy drop."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from edgevit import units
from edgevit.artifacts.embed import EmbedJob
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, merge_logits
from edgevit.artifacts.float_layers import FloatLayersJob
from edgevit.artifacts.layer_sensitivity import SensitivityJob
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob
from edgevit.data.row_file import read_rows
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.pipeline.choose import counted_drop, may_keep_budget
from edgevit.pipeline.context import CandidateDraft, RunContext
from edgevit.pipeline.images import calibration_images, evaluation_images
from edgevit.pipeline.tasks import (
    embed_task,
    export_task,
    float_layers_task,
    inference_task,
    quantize_task,
    sensitivity_task,
)
from edgevit.quantization.ladder import FIRST, Rung, best, climb, rungs
from edgevit.quantization.policy import first_guess, first_recipe
from edgevit.results.candidate import Accuracy, Attempt, within_budget
from edgevit.results.contract import Contract
from edgevit.run.task import Task
from edgevit.spec.recipe import Preparation, Recipe
from edgevit.spec.schemes import SCHEMES

Answer = TypeVar("Answer")

_SHARE_OF_MINUTES = 0.8
"""Of the run's, after which no further rung is tried: the rest is for measuring."""


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
    modules = inputs.spec.quantize.float_layers if draft.float_modules is None else draft.float_modules
    if draft.recipe is not None:
        attempts: tuple[Attempt, ...] = (trials.attempt(FIRST, draft.recipe),)
    elif modules is not None:
        attempts = (trials.attempt(FIRST, trials.exact(modules)),)
    else:
        attempts = _climb(context, draft, trials)
    chosen = best(attempts)
    if chosen.rung not in trials.tried:
        raise CandidateFailed(attempts[0].note)
    return QuantizedArtifact(trials.keep(chosen.rung), chosen.recipe, attempts)


def _climb(context: RunContext, draft: CandidateDraft, trials: RecipeTrials) -> tuple[Attempt, ...]:
    """Tries the policy's recipe, and then the rungs of the repair ladder."""
    assert draft.parent is not None
    scheme, inputs = SCHEMES[draft.candidate.scheme], context.inputs
    limit = inputs.spec.budget.max_drop
    guess = first_guess(draft.backend.policy, context.target)
    first = first_recipe(draft.backend.policy, scheme.name, context.target)
    if inputs.spec.quick:
        first = replace(first, preparations=())
    ladder: Iterator[Rung] = iter(())
    if scheme.name == "mixed_wi8_ai8":
        first = replace(first, float_layers=trials.ranking(first)[:1])
    parent_drop = context.drop_points(draft.parent.id)
    can_repair = inputs.calibration is not None and not inputs.spec.quick
    if can_repair and parent_drop is not None and within_budget(parent_drop, limit):
        ladder = rungs(first, guess, draft.backend.gptq_schemes)
    return climb(first, ladder, trials.attempt, trials.ranking, limit, trials.has_time)


@dataclass(frozen=True)
class Trial:
    """An artifact that was tried."""

    made: MadeArtifact
    folder: Path
    """That it was made in; logits stand beside it."""
    logits: Path
    """On the images that it was judged on, float32 [images, classes]."""
    places: tuple[int, ...]
    """Which images these are."""


_FIRST_IMAGES = 200
"""Images that tell an artifact that loses far too much."""
_MANY = {True: 2000, False: 400}
"""Images from which on these are looked at first: for the policy's recipe, which mostly holds, and for a later rung."""


def first_places(images: int, rung: str) -> tuple[int, ...]:
    """Returns which images an attempt is judged on first: 200, evenly spaced, where there are many; else all.

    Args:
        images: Of the run.
        rung: Of the ladder.
    """
    if images < _MANY[rung == FIRST]:
        return tuple(range(images))
    return tuple(place * images // _FIRST_IMAGES for place in range(_FIRST_IMAGES))


@dataclass
class RecipeTrials:
    """Makes and evaluates what the ladder proposes, each step a stage of the run."""

    context: RunContext
    draft: CandidateDraft
    tried: dict[str, Trial] = field(default_factory=dict)
    """By rung."""
    seconds: float = 0.0
    unranked: str = ""
    """Why the layers could not be ranked."""

    def attempt(self, rung: str, recipe: Recipe) -> Attempt:
        """Quantizes by a recipe and evaluates the outcome; on some of the images, where these tell that it loses too much."""
        before = self.seconds
        try:
            accuracy = self._try(rung, recipe)
        except (CandidateFailed, CheckFailed, UsageError) as error:
            return Attempt(rung, recipe, None, None, None, self.seconds - before, error.message)
        drop, judged = counted_drop(accuracy), accuracy.judged
        what = "accuracy" if accuracy.metric is None else accuracy.metric.title
        unit = judged.unit if judged else ""
        outcome = "not judged" if drop is None else f"{what} change {units.metric_change(drop, unit, 2)}"
        on = f" on {accuracy.samples} images"
        self.context.stages.progress.detail(f"{self._id}: {rung}: {recipe.summary}: {outcome}{on}")
        seconds = self.seconds - before
        return Attempt(rung, recipe, accuracy.top1, accuracy.agreement, drop, seconds, samples=accuracy.samples)

    def _try(self, rung: str, recipe: Recipe) -> Accuracy:
        trial = self._quantize(rung, recipe)
        self.tried[rung] = trial
        accuracy = self.context.evaluate(read_rows(trial.logits), None if self._is_complete(trial) else trial.places)
        if not may_keep_budget(accuracy, self.context.inputs.spec.budget.max_drop):
            return accuracy
        self.tried[rung] = self._complete(rung, trial)
        return self.context.evaluate(read_rows(self.tried[rung].logits))

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
            outputs=inputs.model.named_outputs,
        )
        stage = f"rank layers of {self._id} {_suffix(recipe.preparations)}".rstrip()
        layers = self._timed(stage, sensitivity_task(job)).layers
        in_order = sorted(layers, key=lambda layer: layer.position)
        in_float = recipe.resolved(in_order).float_layers
        return tuple(layer.name for layer in layers if layer.name not in in_float)

    def exact(self, modules: tuple[str, ...]) -> Recipe:
        """Returns the policy's recipe with the layers of some modules in float.

        Raises:
            CandidateFailed: the layers of the artifact cannot be matched with modules, or there is no such module.
        """
        recipe = first_recipe(self.draft.backend.policy, self.draft.candidate.scheme, self.context.target)
        if not modules:
            return recipe
        job = FloatLayersJob(
            self.draft.backend.name, self._parent(recipe.preparations), self.draft.variant.program, modules
        )
        found = self._timed(f"find layers in float of {self._id}", float_layers_task(job))
        return replace(recipe, float_layers=found.layers)

    def has_time(self) -> bool:
        """Returns whether there is time for another rung."""
        within_own = self.seconds < 60 * self.context.inputs.spec.quantize.max_minutes
        return within_own and self.context.deadline.has_time(_SHARE_OF_MINUTES)

    def keep(self, rung: str) -> MadeArtifact:
        """Copies an attempt to the candidate's place, with its logits on all images."""
        trial = self._complete(rung, self.tried[rung])
        made, logits = trial.made, trial.logits
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

    def _quantize(self, rung: str, recipe: Recipe) -> Trial:
        """Quantizes by a recipe, and runs the artifact over the first images."""
        inputs, preprocessing = self.context.inputs, self.draft.variant.preprocessing
        contract = inputs.contract(preprocessing, recipe.scheme)
        folder = self.context.stages.folder.work(f"attempts/{self._id}/{_slug(rung)}")
        job = QuantizeJob(
            backend=self.draft.backend.name,
            parent=self._parent(recipe.preparations),
            recipe=recipe,
            calibration=calibration_images(self.context.stages, inputs, preprocessing),
            seed=inputs.spec.seed,
            folder=folder,
            contract=None if contract.embeds_preprocessing else contract,
        )
        made = self._timed(f"quantize {self._name(rung)}", quantize_task(job))
        if contract.embeds_preprocessing:
            made = self._embed(rung, made, contract)
        places = first_places(len(inputs.images.ids), rung)
        complete = len(places) == len(inputs.images.ids)
        target = folder.with_suffix(".logits.npy" if complete else ".first.npy")
        return Trial(made, folder, self._infer(f"evaluate {self._name(rung)}", made, places, target), places)

    def _embed(self, rung: str, plain: MadeArtifact, contract: Contract) -> MadeArtifact:
        """Puts the preprocessing into the graph of an artifact."""
        job = EmbedJob(
            backend=self.draft.backend.name,
            plain=plain.main,
            contract=contract,
            images=evaluation_images(self.context.stages, self.context.inputs, contract.preprocessing),
            threads=self.context.inputs.spec.measure.threads,
            folder=plain.main.parent.with_name(f"{plain.main.parent.name}-embedded"),
        )
        return self._timed(f"embed preprocessing into {self._name(rung)}", embed_task(job))

    def _complete(self, rung: str, trial: Trial) -> Trial:
        """Runs an artifact over the images that it was not judged on."""
        if self._is_complete(trial):
            return trial
        everything = tuple(range(len(self.context.inputs.images.ids)))
        others = tuple(sorted(set(everything) - set(trial.places)))
        stage = f"evaluate {self._name(rung)} on all images"
        rest = self._infer(stage, trial.made, others, trial.folder.with_suffix(".rest.npy"))
        target = trial.folder.with_suffix(".logits.npy")

        def merge() -> LogitsFile:
            return merge_logits(target, ((trial.places, trial.logits), (others, rest)))

        merged = self.context.stages.run(
            f"merge logits of {self._name(rung)}", LogitsFile, merge, lambda made: (made.logits,)
        )
        return replace(trial, logits=merged.logits, places=everything)

    def _is_complete(self, trial: Trial) -> bool:
        return len(trial.places) == len(self.context.inputs.images.ids)

    def _infer(self, stage: str, made: MadeArtifact, places: tuple[int, ...], logits: Path) -> Path:
        """Runs an artifact over some of the images."""
        images = evaluation_images(self.context.stages, self.context.inputs, self.draft.variant.preprocessing)
        scheme = SCHEMES[self.draft.candidate.scheme]
        job = InferenceJob(
            backend=self.draft.backend.name,
            artifact=made.main,
            images=images if len(places) == len(images) else images.select(places),
            threads=self.context.inputs.spec.measure.threads,
            precision=scheme.precision,
            logits=logits,
        )
        return self._timed(stage, inference_task(job)).logits

    def _name(self, rung: str) -> str:
        return self._id if rung == FIRST else f"{self._id} ({rung})"

    def _parent(self, preparations: tuple[Preparation, ...]) -> Path:
        """The float artifact to quantize: the candidate's parent, or one made from a prepared program."""
        assert self.draft.parent is not None
        assert self.draft.parent.artifact is not None
        run_folder, variant = self.context.stages.folder, self.draft.variant
        if not preparations and self.context.inputs.spec.export.embed_preprocessing:
            return self.context.float_export(variant).export_plain(self.context.stages, self.draft.backend).main
        if not preparations:
            return run_folder.path / self.draft.parent.artifact.path
        backend, suffix = self.draft.backend.name, _suffix(preparations)
        job = ExportJob(
            backend=backend,
            program=variant.program,
            folder=run_folder.work(f"prepared/{backend}/{variant.slug}-{_slug(suffix)}"),
            preparations=preparations,
            calibration=calibration_images(self.context.stages, self.context.inputs, variant.preprocessing),
        )
        return self._timed(f"export {backend}/{variant.slug} {suffix}", export_task(job)).main

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
