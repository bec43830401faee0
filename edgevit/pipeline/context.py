"""What all candidates of a run share, what one is made from, and one while it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from edgevit.artifacts.accuracy import Answers, accuracy_of, agreement, read_answers, write_top1
from edgevit.artifacts.metrics.judge import score_alone, score_with_drop
from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.outputs import split_rows
from edgevit.artifacts.plausibility import check_plausible
from edgevit.artifacts.pytorch_reference import LatencyJob
from edgevit.backends import Backend
from edgevit.data.row_file import read_rows
from edgevit.pipeline.choose import Limits, counted_drop
from edgevit.pipeline.float_export import FLOAT, FloatExport, export_early, logits_path
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.snapshot import Snapshot, capture_module, take_snapshot
from edgevit.pipeline.tasks import pytorch_latency_task
from edgevit.pipeline.token_search.tried_plans import TriedPlans
from edgevit.quantization.policy import Target
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.results.candidate import Accuracy, Candidate
from edgevit.results.run import Baseline
from edgevit.run.deadline import Deadline
from edgevit.run.stages import Stages
from edgevit.spec.recipe import Recipe
from edgevit.spec.token_plan import Form, Plan

DENSE = "dense"
"""Slug of the model with all its tokens."""


@dataclass(frozen=True)
class Variant:
    """The model after some passes, captured."""

    slug: str
    """Third part of a candidate id: "dense", or the plan and form by which it has fewer tokens."""
    program: Path
    preprocessing: Preprocessing
    """What its images go through; a resized model wants them smaller than the others of the run."""
    passes: tuple[PassRecord, ...]
    reference: Path
    """PyTorch's logits on the images that artifacts are verified with."""
    form: Form | None = None
    """How the graph selects tokens; None where all stay."""
    plan: Plan | None = None
    """By which it has fewer tokens."""
    margins: Path | None = None
    """Captured program that tells how close an image's token selection was; None where all tokens stay."""
    is_pruned: bool = False
    """Whether it is made from the pruned model."""

    def slug_with(self, plan_slug: str) -> str:
        """Returns the slug of what a plan makes of this variant: that of the plan alone where this is the dense model."""
        return plan_slug if self.slug == DENSE else f"{self.slug}-{plan_slug}"

    @property
    def is_compressed(self) -> bool:
        """Whether it is compared with the dense float model of its backend."""
        return self.plan is not None or self.is_pruned


Alternatives: TypeAlias = tuple[Variant, ...]
"""Variants that compute the same in different ways; a backend continues with the one that suits it best."""


@dataclass(frozen=True)
class CandidateDraft:
    """A candidate while it is made, with what it is made from."""

    backend: Backend
    variant: Variant
    parent: Candidate | None
    """Float candidate to compare with; None for the dense float one."""
    candidate: Candidate
    recipe: Recipe | None = None
    """To quantize by; None to find one."""
    float_modules: tuple[str, ...] | None = None
    """Whose layers stay in float in the first recipe of the runtime, which is then taken as it is; None to find a recipe."""


Step: TypeAlias = Callable[["RunContext", CandidateDraft], Candidate]
"""Adds to a candidate what one step found out about it."""


@dataclass(frozen=True)
class Steps:
    """What each candidate of a run goes through."""

    making: tuple[Step, ...]
    """Until it is known whether it may be offered."""
    measuring: tuple[Step, ...]
    """Then, if it may be."""


@dataclass(frozen=True)
class RunContext:
    """A run that has begun: what it works with, where, and the original model."""

    inputs: Inputs
    stages: Stages
    steps: Steps
    original: Snapshot
    """The original model, in PyTorch."""
    baseline: Baseline
    target: Target
    deadline: Deadline
    tried_plans: TriedPlans = field(default_factory=TriedPlans)
    """Of the token searches so far."""

    @property
    def limits(self) -> Limits:
        """What candidates are judged by."""
        return Limits(self.inputs.spec.budget.max_drop, for_device=bool(self.inputs.devices or self.inputs.boards))

    def evaluate(self, logits: np.ndarray, places: Sequence[int] | None = None, *, reported: bool = False) -> Accuracy:
        """Scores logits against labels, real images against the original model, and by the metric of the spec.

        Args:
            logits: float [images, classes]; of a model that is no classifier all values, [images, values].
            places: Which of the images of the run they are for; all when None.
            reported: Whether it goes into the run, with intervals that take long too.

        Raises:
            UsageError: a metric of the user's own failed, or gave no finite number.
        """
        accuracy = self._recognized(logits, places)
        if self.inputs.metric is None or not self.inputs.has_real_images:
            return accuracy
        predictions = _predictions(self.inputs, logits, read_rows(self.original.logits), places)
        resamples = reported or places is not None
        return replace(accuracy, metric=score_with_drop(self.inputs.metric, predictions, resamples=resamples))

    def _recognized(self, logits: np.ndarray, places: Sequence[int] | None) -> Accuracy:
        """How many images are recognized, and how many real ones get the original class; nothing of what is no classifier."""
        if not self.inputs.model.num_classes:
            return Accuracy(None, None, len(logits), None)
        labels, original = self.inputs.labels, self._original_answers
        if places is not None:
            labels, original = labels and tuple(labels[place] for place in places), original.select(places)
        answers = read_answers(logits, labels)
        accuracy = accuracy_of(answers, original)
        return replace(accuracy, agreement=agreement(answers, original)) if self.inputs.has_real_images else accuracy

    @cached_property
    def _original_answers(self) -> Answers:
        return read_answers(read_rows(self.original.logits), self.inputs.labels)

    def keep_top1(self, candidate_id: str) -> str | None:
        """Writes the answer of a candidate to each image into the run folder.

        Args:
            candidate_id: Of a candidate whose logits were kept.

        Returns:
            The CSV file, relative to the run folder; None where the images are synthetic, or the model is no classifier.
        """
        return _keep_top1(self.inputs, self.stages, candidate_id, self.logits_path(candidate_id))

    def drop_points(self, candidate_id: str) -> float | None:
        """Returns the accuracy drop of a candidate, see :func:`edgevit.pipeline.choose.counted_drop`; None if it gave no logits."""
        path = self.logits_path(candidate_id)
        return counted_drop(self.evaluate(read_rows(path))) if path.is_file() else None

    def float_export(self, variant: Variant) -> FloatExport:
        """Returns what exports a variant as the float candidates of the backends."""
        return FloatExport(
            slug=variant.slug,
            program=variant.program,
            images=evaluation_images(self.stages, self.inputs, variant.preprocessing),
            threads=self.inputs.spec.measure.threads,
            contract=self.inputs.contract(variant.preprocessing, FLOAT),
        )

    def logits_path(self, candidate_id: str) -> Path:
        """Returns where the logits of a candidate are kept, float32 [images, classes]."""
        return logits_path(self.stages, candidate_id)


def open_context(inputs: Inputs, stages: Stages, steps: Steps, deadline: Deadline) -> RunContext:
    """Begins a run: captures the original model, and takes its accuracy in PyTorch."""
    model, metric = inputs.model, inputs.metric
    captured = capture_module(stages, "original", model.module, model.preprocessing)
    calls: list[Callable[[], object]] = [
        partial(take_snapshot, stages, inputs, "original", model.module, model.preprocessing)
    ]
    if inputs.training_images is None:
        images = evaluation_images(stages, inputs, model.preprocessing)
        contract = inputs.contract(model.preprocessing, FLOAT)
        export = FloatExport(DENSE, captured.program, images, inputs.spec.measure.threads, contract)
        calls.append(partial(export_early, stages, export, inputs.backends))
    original = cast(Snapshot, stages.side_by_side(calls)[0])
    logits = read_rows(original.logits)
    accuracy = Accuracy(None, None, len(logits), None)
    if model.num_classes:
        answers = read_answers(logits, inputs.labels)
        if inputs.training_images is None and steps.measuring:  # a student may know nothing before it is taught
            check_answers(inputs, answers)
        accuracy = accuracy_of(answers, None)
    baseline = Baseline(
        top1=accuracy.top1,
        top5=accuracy.top5,
        samples=accuracy.samples,
        params=model.params,
        macs=original.captured.macs,
        latency_ms=None,
        top1_interval=accuracy.top1_interval,
        ece=accuracy.ece,
        top1_file=_keep_top1(inputs, stages, "original", original.logits),
        metric=score_alone(metric, _predictions(inputs, logits, logits)) if metric and inputs.has_real_images else None,
    )
    target = inputs.target(original.captured.transformer)
    return RunContext(inputs, stages, steps, original, baseline, target, deadline)


def time_original(context: RunContext) -> Baseline:
    """Returns the baseline, with the latency in PyTorch where candidates are measured; a quick run leaves it out."""
    if context.inputs.spec.quick or not context.steps.measuring:
        return context.baseline
    settings, program = context.inputs.spec.measure, context.original.captured.program
    job = LatencyJob(program, settings.threads, settings.min_runs, settings.min_seconds)
    stage = "measure original in PyTorch"
    latency_ms = context.stages.run_in_child(stage, "pytorch-original", pytorch_latency_task(job))
    return replace(context.baseline, latency_ms=latency_ms)


def check_answers(inputs: Inputs, answers: Answers) -> None:
    """Stops a run whose float model does not recognize the images, see :func:`edgevit.artifacts.plausibility.check_plausible`.

    What is judged by a metric that the spec names may be no recognition at all: only what is expected is checked then.

    Args:
        inputs: Of the run.
        answers: Of the float model to its images.

    Raises:
        CheckFailed: it is at chance, or below what was expected.
    """
    expected = inputs.spec.budget.expect_top1
    if inputs.metric is None or expected is not None:
        check_plausible(answers, expected, inputs.images.source)


def _predictions(
    inputs: Inputs, logits: np.ndarray, original: np.ndarray, places: Sequence[int] | None = None
) -> Predictions:
    """What the metric of a run reads.

    Args:
        inputs: Of the run.
        logits: Of a model, for the images at ``places``, see :func:`edgevit.artifacts.outputs.split_rows`.
        original: Of the original model, for all images of the run.
        places: Which images; all when None.
    """
    labels, chosen = inputs.targets, slice(None) if places is None else np.array(places)
    outputs, reference = (split_rows(rows, inputs.model.outputs) for rows in (logits, original[chosen]))
    return Predictions(outputs, reference, None if labels is None else labels[chosen])


def _keep_top1(inputs: Inputs, stages: Stages, name: str, logits: Path) -> str | None:
    if not inputs.has_real_images or not inputs.model.num_classes:
        return None
    path = stages.folder.path / "top1" / f"{name}.csv"
    write_top1(path, inputs.images.ids, read_answers(read_rows(logits), inputs.labels))
    return stages.folder.relative(path)
