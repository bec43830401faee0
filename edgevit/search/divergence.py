"""How far a model's predictions are from the original one's: the KL divergence on calibration images."""

from __future__ import annotations

from pathlib import Path

from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import calibration_images, evaluation_images
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.tasks import reference_task
from edgevit.pipeline.token_search.effort import evenly
from edgevit.pipeline.tuned_candidates import divergences
from edgevit.results.artifact import Preprocessing

DIVERGENCE_IMAGES = 128
"""Calibration images that divergences are measured on, at most."""


def divergence_images(context: RunContext, preprocessing: Preprocessing) -> PreparedImages:
    """Returns the images that divergences are measured on: for calibration, or where there are none for evaluation.

    Args:
        context: The run.
        preprocessing: Of the model that takes them.
    """
    images = calibration_images(context.stages, context.inputs, preprocessing)
    if images is None:
        images = evaluation_images(context.stages, context.inputs, preprocessing)
    return images.select(evenly(len(images), DIVERGENCE_IMAGES))


def divergence_from_original(context: RunContext, trained: TrainedModel, logits: Path) -> float:
    """Returns the mean KL(original || other) over the images of :func:`divergence_images`, in nats.

    Args:
        context: The run.
        trained: Whose dense model is the original.
        logits: Of the other, float32 [images, classes].
    """
    dense = trained.dense
    job = ReferenceJob(
        dense.program,
        divergence_images(context, dense.preprocessing),
        context.stages.folder.work("original.divergence.npy"),
    )
    stage = "divergence: the original model in PyTorch"
    expected = context.stages.run_in_child(stage, "divergence-original", reference_task(job)).logits
    return float(divergences(read_rows(expected), read_rows(logits)).mean())
