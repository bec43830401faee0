"""The job that trains the model of a spec, on its teacher's predictions, on labels or on both."""

from __future__ import annotations

import sys
from pathlib import Path

from edgevit.data.images import ImageSet, order_sha256
from edgevit.data.sampling import TuningImages
from edgevit.distillation.accelerator import find_device
from edgevit.distillation.data_size import data_size_warning
from edgevit.distillation.distill_job import DistillJob, LabelledImages
from edgevit.model.load import Model
from edgevit.model.program.capture import capture
from edgevit.model.program.family import family_of
from edgevit.run.executor import processors
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import NONE


def distill_job(
    spec: Spec,
    images: TuningImages,
    weights: Path,
    *,
    tokens: str = NONE,
    evaluation: ImageSet | None = None,
    tensorboard: Path | None = None,
) -> DistillJob:
    """Returns the job that trains a model.

    Args:
        spec: What to do; it has a section ``distill``.
        images: To train with.
        weights: Where to write the weights.
        tokens: Token plan that the model has while it is trained.
        evaluation: Images to evaluate on before and after.
        tensorboard: Folder for a log that TensorBoard reads.

    Raises:
        UsageError: there is no such device here.
    """
    assert spec.distill is not None
    return DistillJob(
        student=spec.model,
        tokens=tokens,
        settings=spec.distill,
        images=_labelled(images.train),
        images_sha256=order_sha256(images.train),
        kept=_labelled(images.kept),
        evaluation=_labelled(evaluation) if evaluation else None,
        device=find_device(spec.distill.accelerator),
        threads=processors(),
        seed=spec.seed,
        weights=weights,
        tensorboard=tensorboard,
        search_path=tuple(filter(None, sys.path)),
    )


def _labelled(images: ImageSet) -> LabelledImages:
    return LabelledImages(images.samples, images.labels)


def training_doubts(spec: Spec, model: Model, images: TuningImages) -> tuple[str, ...]:
    """Returns why a training may come to nothing: too few images for such a model from scratch.

    Args:
        spec: What to do.
        model: The student.
        images: To train with.
    """
    if not spec.model.random_weights:
        return ()
    takes = model.preprocessing
    family = family_of(capture(model.module, takes.input_size, takes.channels))
    warning = data_size_warning(len(images.train), model.num_classes, family, pretrained=False)
    return (warning,) if warning else ()
