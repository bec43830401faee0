"""Scores a candidate on the further evaluation sets of a spec, such as shifted images; they do not choose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.accuracy import accuracy_of, agreement, read_answers
from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.metrics.judge import score_alone, score_with_drop
from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.outputs import split_rows
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.data.images import ImageSet
from edgevit.data.row_file import read_rows
from edgevit.pipeline.context import CandidateDraft, RunContext
from edgevit.pipeline.images import further_images
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.tasks import inference_task, reference_task
from edgevit.results.candidate import Accuracy, Candidate, SetAccuracy
from edgevit.run.stages import Stages
from edgevit.spec.schemes import SCHEMES


def evaluate_on_other_sets(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Scores the artifact on each further set, against its labels and the original model."""
    found = tuple(
        SetAccuracy(images.source, _score(context, draft, number, images))
        for number, images in enumerate(context.inputs.data.others, 2)
    )
    return replace(draft.candidate, other_sets=found)


def original_on_other_sets(context: RunContext) -> tuple[SetAccuracy, ...]:
    """Returns the accuracy of the original model, in PyTorch, on each further set."""
    return tuple(
        SetAccuracy(images.source, _accuracy(context.inputs, images, read_rows(_original(context, number, images))))
        for number, images in enumerate(context.inputs.data.others, 2)
    )


def _score(context: RunContext, draft: CandidateDraft, number: int, images: ImageSet) -> Accuracy:
    candidate, stages = draft.candidate, context.stages
    assert candidate.artifact is not None  # it was made before
    job = InferenceJob(
        backend=draft.backend.name,
        artifact=stages.folder.path / candidate.artifact.path,
        images=further_images(stages, images.samples, draft.variant.preprocessing, number),
        threads=context.inputs.spec.measure.threads,
        precision=SCHEMES[candidate.scheme].precision,
        logits=stages.folder.work(f"{candidate.id.replace('/', '--')}.set{number}.npy"),
    )
    found = stages.run_in_child(f"evaluate {candidate.id} on set {number}", candidate.id, inference_task(job)).logits
    return _accuracy(context.inputs, images, read_rows(_original(context, number, images)), read_rows(found))


def _original(context: RunContext, number: int, images: ImageSet) -> Path:
    """The logits of the original model on a set, made once in a run."""
    stages: Stages = context.stages
    prepared = further_images(stages, images.samples, context.inputs.model.preprocessing, number)
    job = ReferenceJob(context.original.captured.program, prepared, stages.folder.work(f"original.set{number}.npy"))
    stage = f"evaluate original on set {number} in PyTorch"
    return stages.run_in_child(stage, f"pytorch-original-set{number}", reference_task(job)).logits


def _accuracy(inputs: Inputs, images: ImageSet, original: np.ndarray, found: np.ndarray | None = None) -> Accuracy:
    """Scores logits, or all values of outputs, of a candidate, or of the original model itself for None."""
    metric = inputs.metric
    reference, outputs = (
        split_rows(rows, inputs.model.outputs) for rows in (original, original if found is None else found)
    )
    predictions = Predictions(outputs, reference, images.targets)
    if found is None:
        score = None if metric is None else score_alone(metric, predictions)
    else:
        score = None if metric is None else score_with_drop(metric, predictions, resamples=True)
    if not inputs.model.num_classes:
        return Accuracy(None, None, len(original), None, metric=score)
    before = read_answers(original, images.labels)
    if found is None:
        return replace(accuracy_of(before, None), metric=score)
    answers = read_answers(found, images.labels)
    return replace(accuracy_of(answers, before), agreement=agreement(answers, before), metric=score)
