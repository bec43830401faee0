"""Takes the model through the passes that change its weights, and captures what they leave."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from safetensors.torch import load_model as load_tensors
from torch import nn

from edgevit.artifacts.accuracy import read_answers
from edgevit.artifacts.unseen_layers import UnseenJob, UnseenLayers
from edgevit.data.row_file import read_rows
from edgevit.data.sampling import TuningImages
from edgevit.pipeline.context import DENSE, RunContext, Variant, check_answers
from edgevit.pipeline.distilling import distill_job, training_doubts
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.snapshot import Snapshot, pass_record, take_snapshot
from edgevit.pipeline.tasks import distill_task, unseen_layers_task
from edgevit.results.artifact import PassRecord


@dataclass(frozen=True)
class TrainedModel:
    """The model after distillation, or the original one."""

    module: nn.Module
    snapshot: Snapshot
    """Of ``module``."""
    dense: Variant
    """``module`` with all its tokens."""
    pruned: TrainedModel | None = None
    """A smaller model that was made of ``module``, and is not fine-tuned yet; None where the spec asks for none."""

    def of(self, variant: Variant) -> TrainedModel:
        """Returns the model that a variant is made from."""
        return self.pruned if self.pruned and variant.is_pruned else self


def run_model_passes(context: RunContext) -> TrainedModel:
    """Runs the passes of a spec that change weights; the original model is left untouched."""
    inputs, stages = context.inputs, context.stages
    module, snapshot = inputs.model.module, context.original
    records: tuple[PassRecord, ...] = ()
    if inputs.training_images:
        module = _distilled(context, inputs.training_images)
        snapshot = take_snapshot(stages, inputs, "distilled", module, inputs.model.preprocessing)
        answers = read_answers(read_rows(snapshot.logits), inputs.labels)
        check_answers(inputs, answers)
        taught_by = f"teacher {inputs.teacher.name}" if inputs.teacher else "labels"
        records = (pass_record("distill", taught_by, context.original, snapshot),)
    dense = Variant(DENSE, snapshot.captured.program, inputs.model.preprocessing, records, snapshot.logits)
    return TrainedModel(module, snapshot, dense)


def unseen_layers(context: RunContext, trained: TrainedModel) -> UnseenLayers:
    """Finds the layers of the dense model that comparing logits cannot check, which the run tells in a note."""
    images = evaluation_images(context.stages, context.inputs, trained.dense.preprocessing)
    task = unseen_layers_task(UnseenJob(trained.dense.program, images))
    return context.stages.run_in_child("find layers that verification does not see", "unseen-layers", task)


def _distilled(context: RunContext, images: TuningImages) -> nn.Module:
    """The model after training, which is done now or read back."""
    stages, inputs = context.stages, context.inputs
    for doubt in training_doubts(inputs.spec, inputs.model, images):
        stages.progress.message(doubt)
    job = distill_job(inputs.spec, images, stages.folder.work("distilled.safetensors"))
    found = stages.run_in_child("distill", "distill", distill_task(job))
    module = copy.deepcopy(inputs.model.module)
    load_tensors(module, str(found.weights))
    return module.eval().requires_grad_(False)


def load_trained(module: nn.Module, file: Path) -> None:
    """Replaces parameters of a module by those in a safetensors file, which need not have all of them.

    Raises:
        ValueError: the file has one that the module does not have.
    """
    unknown = module.load_state_dict(load_file(file), strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"{file} has parameters that are not the model's: {', '.join(unknown)}")
