"""Fine-tunes a variant of the model, in the numbers that it will run in; the dense float model teaches, or its own teacher."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from edgevit.artifacts.int8_scheme import ReadInt8Job
from edgevit.backends import Backend
from edgevit.distillation.finetune_job import (
    Finetuned,
    FinetuneJob,
    FinetuneSettings,
    Parameters,
    SimulatedInt8,
)
from edgevit.model.program.capture import save_program
from edgevit.model.program.trainable import capture_for_training
from edgevit.model.save import save_weights
from edgevit.pipeline.context import RunContext, Variant
from edgevit.pipeline.images import calibration_images, tuning_images
from edgevit.pipeline.model_passes import TrainedModel, load_trained
from edgevit.pipeline.snapshot import capture_module, take_snapshot
from edgevit.pipeline.tasks import finetune_task, int8_scheme_task
from edgevit.quantization.policy import Architecture
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.run.executor import processors
from edgevit.run.stages import Stages
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Rung
from edgevit.tokens.plan import carry_out
from edgevit.tokens.reduction import CutMargins, ReducedModel


@dataclass(frozen=True)
class TuningRecipe:
    """Defaults of a rung."""

    parameters: Parameters
    images_seen: int
    learning_rate: float
    patience: int
    cnn_learning_rate: float
    """Of networks without attention."""

    def rate_for(self, architecture: Architecture) -> float:
        """Returns the learning rate where the user names none."""
        return self.cnn_learning_rate if architecture == "cnn" else self.learning_rate


RECIPES: dict[Rung, TuningRecipe] = {
    "quick": TuningRecipe("small", 3_200, 1e-3, patience=10, cnn_learning_rate=1e-3),
    "full": TuningRecipe("all", 32_000, 5e-5, patience=5, cnn_learning_rate=2e-5),
}


@dataclass(frozen=True)
class TrainingProgram:
    """A model captured for training, on disk."""

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
class TuningTeacher:
    """A model whose predictions fine-tuning learns."""

    name: str
    """"" for the dense model itself."""
    program: Path
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Untuned:
    """A candidate to fine-tune, and what it was made from."""

    candidate: Candidate
    variant: Variant
    in_float: bool = False
    """Whether an int8 candidate is trained in float: what int8 adds to its divergence is not worth a training of its own."""

    @property
    def simulates_int8(self) -> bool:
        """Whether int8 is simulated while it is trained."""
        return not self.in_float and SCHEMES[self.candidate.scheme].is_int8

    @property
    def to_train(self) -> Variant:
        """What is trained: in float any form of a plan, for all compute the same."""
        variant = self.variant
        if self.simulates_int8 or variant.form is None:
            return variant
        return replace(variant, slug=variant.slug.removesuffix(f"-{variant.form}"), form=None)


def tune(context: RunContext, trained: TrainedModel, backend: Backend, untuned: Untuned, rung: Rung) -> Finetuned:
    """Fine-tunes a candidate, in the numbers that its artifact computes in or in float; in float once for all backends.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; see :func:`tuning_teacher`.
        backend: Of the candidate.
        untuned: What to tune.
        rung: How much is trained.

    Raises:
        CandidateFailed: the loss is not finite at once, or the int8 numbers cannot be simulated.
        UsageError: the variant cannot be captured for training, or has no parameters.
    """
    stages, spec, variant = context.stages, context.inputs.spec.finetune, untuned.to_train
    name = training_name(untuned, rung)
    recipe = replace(
        RECIPES[rung],
        images_seen=spec.images_seen or RECIPES[rung].images_seen,
        learning_rate=spec.learning_rate or RECIPES[rung].rate_for(context.target.architecture),
    )
    student = Student(variant.slug, _module(context, trained, variant), variant.preprocessing)
    job = tuning_job(context, trained, student, recipe, stages.folder.work(f"{name}.tuned.safetensors"))
    job = replace(job, int8=_int8(context, backend, untuned))
    return stages.run_in_child(f"fine-tune {name}", f"finetune-{name}", finetune_task(job))


def tuning_job(
    context: RunContext, trained: TrainedModel, student: Student, recipe: TuningRecipe, weights: Path
) -> FinetuneJob:
    """Captures a student for training, once in a run, and returns the job that tunes it in float.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; it is the teacher.
        student: What is tuned.
        recipe: How.
        weights: Where to write the parameters that were trained.
    """
    inputs, stages, teacher = context.inputs, context.stages, tuning_teacher(context, trained)
    spec, images = inputs.spec.finetune, inputs.tuning_images
    assert images is not None
    return FinetuneJob(
        student=_captured(stages, student),
        teacher=teacher.program,
        images=tuning_images(stages, images.train.samples, teacher.preprocessing),
        kept=tuning_images(stages, images.kept.samples, teacher.preprocessing),
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
            device=inputs.training_device,
            seed=inputs.spec.seed,
        ),
        weights=weights,
    )


def tuning_teacher(context: RunContext, trained: TrainedModel) -> TuningTeacher:
    """Returns the model whose predictions fine-tuning learns: the dense one in float, or that which it was distilled from.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before.
    """
    model = context.inputs.teacher
    if context.inputs.spec.finetune.teacher == "student" or model is None:
        return TuningTeacher("", trained.dense.program, trained.dense.preprocessing)
    program = _captured(context.stages, Student("teacher", model.module, model.preprocessing))
    return TuningTeacher(model.name, program, model.preprocessing)


def training_name(untuned: Untuned, rung: Rung) -> str:
    """Returns what files of a training are called: in float, it is the same for all backends."""
    return _name(untuned, untuned.to_train, rung)


def _name(untuned: Untuned, variant: Variant, rung: Rung) -> str:
    candidate, slug = untuned.candidate, f"{variant.slug}-{rung}"
    return f"{candidate.backend}-{candidate.scheme}-{slug}" if untuned.simulates_int8 else slug


def _int8(context: RunContext, backend: Backend, untuned: Untuned) -> SimulatedInt8 | None:
    candidate = untuned.candidate
    if candidate.recipe is None or candidate.artifact is None or not untuned.simulates_int8:
        return None
    artifact = context.stages.folder.path / candidate.artifact.path
    job = ReadInt8Job(backend.name, artifact, candidate.recipe)
    scheme = context.stages.run_in_child(f"read {candidate.id}", candidate.id, int8_scheme_task(job))
    calibration = calibration_images(context.stages, context.inputs, untuned.variant.preprocessing)
    assert calibration is not None  # fine-tuning asks for images
    return SimulatedInt8(scheme, calibration)


def tuned_variant(context: RunContext, trained: TrainedModel, untuned: Untuned, rung: Rung, weights: Path) -> Variant:
    """Returns a variant with tuned weights, captured and run in PyTorch.

    Args:
        context: The run.
        trained: See :func:`tune`.
        untuned: What was tuned.
        rung: How much was trained.
        weights: See :class:`edgevit.distillation.finetune_job.Finetuned`.
    """
    stages, variant = context.stages, untuned.variant
    name = _name(untuned, variant, rung)
    module = _module(context, trained, variant, weights)
    snapshot = take_snapshot(stages, context.inputs, name, module, variant.preprocessing)
    margins = None
    if isinstance(module, ReducedModel):
        margins = capture_module(stages, f"{name}-margins", CutMargins(module), variant.preprocessing).program
    before, macs = trained.snapshot.top1, snapshot.captured.macs
    record = PassRecord(
        "finetune", rung, macs, macs, variant.passes[-1].top1_after if variant.passes else before, snapshot.top1
    )
    return replace(
        variant,
        slug=f"{variant.slug}-{rung}",
        program=snapshot.captured.program,
        reference=snapshot.logits,
        passes=(*variant.passes, record),
        margins=margins,
    )


def keep_weights(context: RunContext, trained: TrainedModel, untuned: Untuned, rung: Rung, weights: Path) -> Path:
    """Writes all weights of a tuned variant under the names that the original model gives them; see :func:`tuned_variant`."""
    stages, name = context.stages, training_name(untuned, rung)
    module = _module(context, trained, untuned.variant)
    path = stages.folder.path / "finetuned" / f"{name}.safetensors"

    def make() -> KeptWeights:
        path.parent.mkdir(exist_ok=True)
        load_trained(module, weights)
        save_weights(module.original if isinstance(module, ReducedModel) else module, path)
        return KeptWeights(path)

    return stages.run(f"keep the weights of {name}", KeptWeights, make, lambda answer: (answer.file,)).file


def _module(context: RunContext, trained: TrainedModel, variant: Variant, weights: Path | None = None) -> nn.Module:
    """A copy of the model as a variant has it, with tuned weights if there are any."""
    made_from = trained.of(variant)
    if variant.plan is None:
        module = copy.deepcopy(made_from.module)
    else:
        form, size = variant.form or context.inputs.forms[0], made_from.dense.preprocessing.input_size
        module = carry_out(made_from.module, variant.plan, form, size).module
    if weights:
        load_trained(module, weights)
    return module


def _captured(stages: Stages, student: Student) -> Path:
    path = stages.folder.work(f"{student.slug}-training.pt2")

    def make() -> TrainingProgram:
        takes = student.preprocessing
        save_program(capture_for_training(student.module, takes.input_size, takes.channels), path)
        return TrainingProgram(path)

    return stages.run(
        f"capture {student.slug} for training", TrainingProgram, make, lambda answer: (answer.program,)
    ).program
