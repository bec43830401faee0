"""Takes the model through the passes that change its weights, and captures what they leave."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import load_model as load_tensors
from safetensors.torch import save_model as save_tensors
from torch import nn

from edgevit.artifacts.accuracy import read_answers
from edgevit.artifacts.unseen_layers import UnseenJob, UnseenLayers
from edgevit.data.images import ImageSet
from edgevit.data.prepared import prepare_one
from edgevit.data.row_file import read_rows
from edgevit.distillation.distill import (
    DistillSettings,
    Normalization,
    Student,
    Teacher,
    TrainingImages,
    distill,
)
from edgevit.model.load import Model
from edgevit.model.user_code import user_code
from edgevit.pipeline.context import DENSE, RunContext, Variant, check_answers
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.snapshot import Snapshot, pass_record, take_snapshot
from edgevit.pipeline.tasks import unseen_layers_task
from edgevit.results.artifact import PassRecord
from edgevit.spec.spec import DistillSpec


@dataclass(frozen=True)
class TrainedModel:
    """The model after distillation, or the original one."""

    module: nn.Module
    snapshot: Snapshot
    """Of ``module``."""
    dense: Variant
    """``module`` with all its tokens."""


@dataclass(frozen=True)
class WeightsFile:
    """Trained weights on disk."""

    file: Path


def run_model_passes(context: RunContext) -> TrainedModel:
    """Runs the passes of a spec that change weights; the original model is left untouched."""
    inputs, stages = context.inputs, context.stages
    module, snapshot = inputs.model.module, context.original
    records: tuple[PassRecord, ...] = ()
    settings = inputs.spec.passes.distill
    if settings and inputs.teacher and inputs.training_images:
        module = _distilled(context, settings, inputs.teacher, inputs.training_images)
        snapshot = take_snapshot(stages, inputs, "distilled", module, inputs.model.preprocessing)
        answers = read_answers(read_rows(snapshot.logits), inputs.labels)
        check_answers(inputs, answers)
        records = (pass_record("distill", f"teacher {settings.teacher.name}", context.original, snapshot),)
    dense = Variant(DENSE, snapshot.captured.program, inputs.model.preprocessing, records, snapshot.logits)
    return TrainedModel(module, snapshot, dense)


def unseen_layers(context: RunContext, trained: TrainedModel) -> UnseenLayers:
    """Finds the layers of the dense model that comparing logits cannot check, which the run tells in a note."""
    images = evaluation_images(context.stages, context.inputs, trained.dense.preprocessing)
    task = unseen_layers_task(UnseenJob(trained.dense.program, images))
    return context.stages.run_in_child("find layers that verification does not see", "unseen-layers", task)


def _distilled(context: RunContext, settings: DistillSpec, teacher: Model, images: ImageSet) -> nn.Module:
    """The model after distillation, trained now or read back."""
    file = context.stages.folder.work("distilled.safetensors")

    def make() -> WeightsFile:
        save_weights(_train(context, settings, teacher, images), file)
        return WeightsFile(file)

    context.stages.run("distill", WeightsFile, make, lambda answer: (answer.file,))
    module = copy.deepcopy(context.inputs.model.module)
    load_tensors(module, str(file))
    return module.eval().requires_grad_(False)


def save_weights(module: nn.Module, file: Path) -> None:
    """Writes weights; a full disk is an OSError, which safetensors tells in words only."""
    try:
        save_tensors(module, str(file))
    except SafetensorError as error:
        code = re.search(r"\(os error (\d+)\)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(file)) from error


def load_trained(module: nn.Module, file: Path) -> None:
    """Replaces parameters of a module by those in a safetensors file, which need not have all of them.

    Raises:
        ValueError: the file has one that the module does not have.
    """
    unknown = module.load_state_dict(load_file(file), strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"{file} has parameters that are not the model's: {', '.join(unknown)}")


def _train(context: RunContext, settings: DistillSpec, teacher: Model, images: ImageSet) -> nn.Module:
    model, defaults = context.inputs.model, DistillSettings()
    pixels = np.stack([prepare_one(images, image_id, model.preprocessing) for image_id in images.ids])
    with user_code(f"training {model.name} on the outputs of {teacher.name}"):
        return distill(
            Student(copy.deepcopy(model.module).requires_grad_(True), _normalization(model)),
            Teacher(teacher.module, _normalization(teacher), teacher.preprocessing.input_size),
            TrainingImages(pixels),
            settings=DistillSettings(
                epochs=settings.epochs,
                learning_rate=settings.learning_rate or defaults.learning_rate,
                temperature=settings.temperature or defaults.temperature,
                seed=context.inputs.spec.seed,
            ),
            on_progress=lambda done, total: context.stages.progress.stage("distill", done, total + 1),
        )


def _normalization(model: Model) -> Normalization:
    return model.preprocessing.mean, model.preprocessing.std
