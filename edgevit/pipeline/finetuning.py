"""Fine-tunes variants with fewer tokens: the model as brought teaches, on images apart from those that judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from edgevit.distillation.finetune import FinetuneJob, FinetuneSettings, Parameters, part_size
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.program.capture import save_program
from edgevit.model.program.trainable import capture_for_training
from edgevit.pipeline.context import DENSE, Alternatives, RunContext, Variant
from edgevit.pipeline.images import tuning_images
from edgevit.pipeline.model_passes import TrainedModel, load_trained, save_weights
from edgevit.pipeline.snapshot import capture_module, take_snapshot
from edgevit.pipeline.tasks import finetune_task
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.results.finetune import Finetune
from edgevit.results.measurement import Interval
from edgevit.run.executor import processors
from edgevit.run.stages import Stages
from edgevit.spec.spec import Rung
from edgevit.tokens.plan import carry_out
from edgevit.tokens.reduce import CutMargins, ReducedVisionTransformer


@dataclass(frozen=True)
class TuningRecipe:
    """Defaults of a rung."""

    parameters: Parameters
    images_seen: int
    learning_rate: float
    patience: int


RECIPES: dict[Rung, TuningRecipe] = {
    "quick": TuningRecipe("small", 3_200, 1e-3, patience=10),
    "full": TuningRecipe("all", 32_000, 5e-5, patience=4),
}

_SHARE = 0.5
"""Of the run's minutes; fine-tuning begins no later, for what it makes has to be exported, quantized and measured."""


@dataclass(frozen=True)
class TrainingProgram:
    """A model captured for batches, on disk."""

    program: Path


@dataclass(frozen=True)
class KeptWeights:
    """Weights of a tuned model in the run folder."""

    file: Path


@dataclass(frozen=True)
class Student:
    """A model that is tuned."""

    slug: str
    """Names its captured program; see :class:`edgevit.pipeline.context.Variant`."""
    module: nn.Module
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning made of a variant."""

    variants: Alternatives = ()
    """Empty where the answers on the images kept apart are not better, beyond chance."""
    record: Finetune | None = None
    """None where it could not be tuned."""
    note: str = ""
    """Why it could not be tuned."""


def tune(context: RunContext, trained: TrainedModel, variants: Alternatives, rung: Rung) -> Tuned:
    """Fine-tunes variants that compute the same, once for all backends.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; it is the teacher.
        variants: Forms of one token plan.
        rung: How much is trained.
    """
    if not context.deadline.has_time(_SHARE):
        return Tuned(note=f"{variants[0].slug} was not fine-tuned ({rung}): too few of the run's minutes were left")
    try:
        return _tune(context, trained, variants, rung)
    except (CandidateFailed, UsageError) as error:
        note = f"{variants[0].slug} was not fine-tuned ({rung}): {error.message}"
        context.stages.progress.message(note)
        return Tuned(note=note)


def tuning_job(
    context: RunContext, trained: TrainedModel, student: Student, recipe: TuningRecipe, weights: Path
) -> FinetuneJob:
    """Captures a student and its teacher for training, once in a run, and returns the job that tunes it.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; it is the teacher.
        student: What is tuned.
        recipe: How.
        weights: Where to write the parameters that were trained.
    """
    inputs, stages, dense = context.inputs, context.stages, trained.dense.preprocessing
    spec, images = inputs.spec.finetune, inputs.tuning_images
    assert images is not None
    at_once = part_size(spec.batch_size)
    return FinetuneJob(
        student=_captured(stages, student.slug, student.module, student.preprocessing.input_size, at_once),
        teacher=_captured(stages, DENSE, trained.module, dense.input_size, at_once),
        images=tuning_images(stages, images.train.samples, dense),
        kept=tuning_images(stages, images.kept.samples, dense),
        kept_for_student=tuning_images(stages, images.kept.samples, student.preprocessing),
        settings=FinetuneSettings(
            parameters=recipe.parameters,
            images_seen=recipe.images_seen,
            learning_rate=recipe.learning_rate,
            batch_size=spec.batch_size,
            feature_weight=spec.feature_weight,
            mixed_share=spec.mixed_share,
            patience=recipe.patience,
            max_seconds=60 * spec.max_minutes,
            threads=processors(),
            seed=inputs.spec.seed,
        ),
        weights=weights,
    )


def _tune(context: RunContext, trained: TrainedModel, variants: Alternatives, rung: Rung) -> Tuned:
    inputs, stages, variant = context.inputs, context.stages, variants[0]
    spec, images = inputs.spec.finetune, inputs.tuning_images
    assert images is not None
    name, student = f"{variant.slug}-{rung}", _module(context, trained, variant)
    recipe = replace(
        RECIPES[rung],
        images_seen=spec.images_seen or RECIPES[rung].images_seen,
        learning_rate=spec.learning_rate or RECIPES[rung].learning_rate,
    )
    job = tuning_job(
        context,
        trained,
        Student(variant.slug, student, variant.preprocessing),
        recipe,
        stages.folder.work(f"{name}.tuned.safetensors"),
    )
    found = stages.run_in_child(f"fine-tune {name}", f"finetune-{name}", finetune_task(job))
    before, after = np.asarray(found.before), np.asarray(found.after)
    change = _mean_interval(after - before)
    is_better = change.high < 0
    file = _keep(stages, name, student, found.weights) if is_better else None
    record = Finetune(
        variant=variant.slug,
        rung=rung,
        images=len(images.train),
        kept=len(images.kept),
        images_seen=found.images_seen,
        seconds=found.seconds,
        before=float(before.mean()),
        after=float(after.mean()),
        change=change,
        weights=stages.folder.relative(file) if file else None,
        curve=found.curve,
        note=found.note,
    )
    return Tuned(_with_weights(context, trained, variants, rung, found.weights) if is_better else (), record)


def _module(context: RunContext, trained: TrainedModel, variant: Variant, weights: Path | None = None) -> nn.Module:
    """A copy of the model as a variant has it, with tuned weights if there are any."""
    assert variant.plan is not None
    form, size = variant.form or context.inputs.forms[0], context.inputs.model.preprocessing.input_size
    module = carry_out(trained.module, variant.plan, form, size).module
    if weights:
        load_trained(module, weights)
    return module


def _with_weights(
    context: RunContext, trained: TrainedModel, variants: Alternatives, rung: Rung, weights: Path
) -> Alternatives:
    """The same variants with tuned weights; they give the same logits, so PyTorch runs one of them."""
    stages, (first, *others) = context.stages, variants
    module = _module(context, trained, first, weights)
    snapshot = take_snapshot(stages, context.inputs, f"{first.slug}-{rung}", module, first.preprocessing)
    margins = None
    if isinstance(module, ReducedVisionTransformer):
        name = f"{first.slug}-{rung}-margins"
        margins = capture_module(stages, name, CutMargins(module), first.preprocessing).program

    def tuned(variant: Variant, program: Path) -> Variant:
        last = variant.passes[-1]
        record = PassRecord("finetune", rung, last.macs_after, last.macs_after, last.top1_after, snapshot.top1)
        return replace(
            variant,
            slug=f"{variant.slug}-{rung}",
            program=program,
            reference=snapshot.logits,
            passes=(*variant.passes, record),
            margins=margins,
        )

    def captured(variant: Variant) -> Path:
        slug, module = f"{variant.slug}-{rung}", _module(context, trained, variant, weights)
        return capture_module(stages, slug, module, variant.preprocessing).program

    return (tuned(first, snapshot.captured.program), *(tuned(other, captured(other)) for other in others))


def _captured(stages: Stages, slug: str, module: nn.Module, size: tuple[int, int], batch: int) -> Path:
    path = stages.folder.work(f"{slug}-batches.pt2")

    def make() -> TrainingProgram:
        save_program(capture_for_training(module, size, batch), path)
        return TrainingProgram(path)

    return stages.run(f"capture {slug} for training", TrainingProgram, make, lambda answer: (answer.program,)).program


def _keep(stages: Stages, name: str, module: nn.Module, weights: Path) -> Path:
    """Writes all weights under the names that the original model gives them."""
    path = stages.folder.path / "finetuned" / f"{name}.safetensors"

    def make() -> KeptWeights:
        path.parent.mkdir(exist_ok=True)
        load_trained(module, weights)
        save_weights(module.vit if isinstance(module, ReducedVisionTransformer) else module, path)
        return KeptWeights(path)

    return stages.run(f"keep the weights of {name}", KeptWeights, make, lambda answer: (answer.file,)).file


def _mean_interval(values: np.ndarray) -> Interval:
    """95 % bootstrap interval of a mean."""
    if np.all(values == values[0]):
        return Interval(float(values[0]), float(values[0]))
    from scipy.stats import bootstrap  # takes a second to import

    found = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    return Interval(float(found.low), float(found.high))
