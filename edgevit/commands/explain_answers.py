"""What models and artifacts take an image for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgevit.artifacts.classifier import open_classifier
from edgevit.artifacts.decisions import class_logits
from edgevit.artifacts.usage import Usage, usage_of
from edgevit.commands.file_errors import blaming_file
from edgevit.commands.given_images import open_given
from edgevit.data.preprocess import fed_views
from edgevit.results.explanation import ModelAnswer
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import PreprocessingOverrides

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AnswerJob:
    """Images to ask an artifact about."""

    artifact: Path
    usage: Usage
    images: tuple[str, ...]
    """Files, or ids of the digits, see :func:`edgevit.commands.given_images.open_given`."""


@dataclass(frozen=True)
class ArtifactAnswers:
    """What an artifact answers, in the order of the images."""

    answers: tuple[ModelAnswer, ...]


def artifact_answers(
    artifact: Path, images: Sequence[str], progress: Progress
) -> Mapping[str, tuple[ModelAnswer, ...]]:
    """Asks an artifact about images, in a child process.

    Args:
        artifact: The file.
        images: Files, or ids of the digits.
        progress: Progress callback.

    Returns:
        One answer for each image, by its name.

    Raises:
        UsageError: no backend reads the file, it is no classifier, nobody states how images are preprocessed, or its runtime
            crashed.
    """
    job = AnswerJob(artifact.absolute(), usage_of(artifact, PreprocessingOverrides()), tuple(images))
    with child_runner(progress, None) as children, blaming_file(artifact):
        found = children.run(f"classify with {artifact.name}", Task(answer_in_child, job, ArtifactAnswers))
    return {image: (answer,) for image, answer in zip(images, found.answers, strict=True)}


def answer_in_child(job: AnswerJob) -> ArtifactAnswers:
    """Loads an artifact and asks it about each image.

    Raises:
        UsageError: see :func:`artifact_answers`.
    """
    classifier = open_classifier(job.artifact, job.usage, None, 1)
    images, contract, found = open_given(job.images), classifier.preprocessing, []
    for name in images.ids:
        label, probability = classifier.answer_views(fed_views(images.picture(name, contract), contract))[0]
        found.append(ModelAnswer("compressed", label, probability))
    return ArtifactAnswers(tuple(found))


def model_answer(model: Literal["dense", "reduced"], logits: Tensor, class_names: Sequence[str]) -> ModelAnswer:
    """Returns the most probable class of one image.

    Args:
        model: Which one.
        logits: float [1, classes].
        class_names: Of the classes; none where nobody names them.
    """
    (row,) = class_logits(logits.detach().double().numpy())
    odds = np.exp(row - row.max())
    best = int(row.argmax())
    label = class_names[best] if class_names else f"class {best}"
    return ModelAnswer(model, label, float(odds[best] / odds.sum()))
