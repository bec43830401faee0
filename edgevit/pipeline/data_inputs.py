"""The images that a spec names, opened: to evaluate on, to calibrate with and to train on."""

from __future__ import annotations

import functools
from dataclasses import replace

from edgevit.data.array_form import check_form
from edgevit.data.calibration_warnings import calibration_warnings
from edgevit.data.images import ImageSet, open_images, set_sha256, sorted_digests
from edgevit.data.output_labels import match_labels
from edgevit.data.sampling import (
    DEFAULT_CALIBRATION_SAMPLES,
    RunData,
    TuningImages,
    check_images,
    choose_data,
    refuse_overlap,
    sample_images,
    split_for_training,
    split_for_tuning,
)
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.results.run import CalibrationRecord
from edgevit.run.progress import Progress
from edgevit.spec.spec import Spec

_QUICK_IMAGES = 20
"""At least so many images for a quick run, where there are as many."""
_QUICK_CALIBRATION = 32
"""At most so many calibration images for a quick run, unless the spec says how many."""


def open_data(spec: Spec, model: Model, progress: Progress) -> RunData:
    """Opens the images to evaluate on and to calibrate with, and decodes each once to see that it can be.

    Args:
        spec: What to do.
        model: Whose outputs the labels name.
        progress: Progress callback.

    Raises:
        UsageError: a source does not exist or is broken, or its labels do not fit the model.
    """
    data = choose_data(
        spec.data.evaluation,
        spec.data.calibration,
        spec.data.samples,
        spec.data.calibration_samples,
        spec.seed,
        _QUICK_CALIBRATION if spec.quick else DEFAULT_CALIBRATION_SAMPLES,
    )
    names = model.class_names if spec.model.class_embeddings else ()
    if data.evaluation:
        data = replace(data, evaluation=match_labels(data.evaluation, model.num_classes, spec.data.class_offset, names))
    data = replace(data, others=tuple(_open_other(source, spec, model, data) for source in spec.data.also_evaluate))
    if spec.quick and data.evaluation:
        evaluation, *others = (_quick_part(images, spec.seed) for images in (data.evaluation, *data.others))
        data = replace(data, evaluation=evaluation, others=tuple(others))
    sets = [(data.evaluation, "evaluation"), *((images, "evaluation") for images in data.others)]
    for images, name in (*sets, (data.calibration, "calibration")):
        if images is not None:
            # labels of calibration images stay as their source has them: they may count from 1
            classes = model.num_classes + (spec.data.class_offset == -1)
            check_images(
                images, classes, model.preprocessing, functools.partial(progress.stage, f"check {name} images")
            )
    return data


def _open_other(source: str, spec: Spec, model: Model, data: RunData) -> ImageSet:
    """A further set to evaluate on."""
    images = open_images(source)
    if images.targets is None:
        raise UsageError(
            f"{source} has no labels, which each further set of --data needs",
            "a folder of class sub-folders, or one with labels.csv",
        )
    names = model.class_names if spec.model.class_embeddings else ()
    images = match_labels(images, model.num_classes, spec.data.class_offset, names)
    images = sample_images(images, spec.data.samples or len(images), spec.seed, "evaluation")
    if data.calibration is not None:
        refuse_overlap(images, data.calibration, "calibration")
    return images


def _quick_part(images: ImageSet, seed: int) -> ImageSet:
    count = max(len(images) // 5, min(len(images), _QUICK_IMAGES))
    return sample_images(images, count, seed, "evaluation")


def open_training_images(spec: Spec, model: Model, data: RunData, progress: Progress) -> TuningImages | None:
    """Opens the images to distill with, where the spec asks for it, and decodes each once to see that it can be.

    Args:
        spec: What to do.
        model: That is trained with them.
        data: The images to evaluate on and to calibrate with.
        progress: Progress callback.

    Raises:
        UsageError: the source does not exist, its images are of another kind than the model takes, one is in ``data`` too, they
            are too few or all of one class, their labels do not fit the model, or there are none and no teacher either.
    """
    if spec.distill is None or spec.quick:
        return None
    assert spec.data.train is not None  # a spec with [distill] has it
    images = open_images(spec.data.train, "training")
    check_form(images.form, images.source, model.preprocessing)
    names = model.class_names if spec.model.class_embeddings else ()
    images = match_labels(images, model.num_classes, spec.data.class_offset, names)
    if images.labels is None and spec.distill.teacher is None:
        raise UsageError(
            f"{images.source} has no labels to train with, and there is no teacher",
            "give a teacher (--teacher), or a folder of class sub-folders, or one with labels.csv",
        )
    if images.labels is not None and len(set(images.labels)) < 2:
        raise UsageError(
            f"the {len(images)} training images of {images.source} are all of one class",
            "give images of several classes",
        )
    for other in (data.evaluation, *data.others, data.calibration):
        if other is not None:
            refuse_overlap(other, images, "training")
    check_images(
        images, model.num_classes, model.preprocessing, functools.partial(progress.stage, "check training images")
    )
    return split_for_training(images, spec.seed)


def open_tuning_images(spec: Spec, model: Model, data: RunData, progress: Progress) -> TuningImages | None:
    """Opens the images to fine-tune with: of the calibration source, or others, and none that candidates are judged on.

    Args:
        spec: What to do.
        model: That is trained with them.
        data: The images to evaluate on and to calibrate with.
        progress: Progress callback.

    Raises:
        UsageError: there are none, one is broken, or one is among those that candidates are judged on.
    """
    if not spec.finetune.rungs or spec.quick:
        return None
    if spec.data.train is None and data.calibration is None:
        raise UsageError("fine-tuning needs images, without labels", "give --calibration, or --train")
    if spec.data.train is None and data.evaluation is None:
        raise UsageError(
            "fine-tuning would train on the calibration images, on which candidates are judged here",
            "give other images: --data to judge on, or --train to train on",
        )
    images = _tuning_source(spec, data)
    for judging in (data.evaluation or data.calibration, *data.others):
        if judging is not None:
            refuse_overlap(judging, images, "training")
    split = split_for_tuning(images, spec.seed)
    for part in (split.train, split.kept):
        on_progress = functools.partial(progress.stage, "check images to fine-tune with")
        check_images(replace(part, labels=None), 1, model.preprocessing, on_progress)
    return split


def _tuning_source(spec: Spec, data: RunData) -> ImageSet:
    """All images of ``--train``, or of the calibration source unless it is a part of the evaluation images."""
    if spec.data.train is not None:
        return open_images(spec.data.train, "training")
    assert data.calibration is not None
    if data.evaluation is not None and data.calibration.source == data.evaluation.source:
        return data.calibration
    return open_images(data.calibration.source, "training")


def record_calibration(data: RunData, seed: int, progress: Progress) -> CalibrationRecord | None:
    """Returns which images a run calibrates with, and what is doubtful about them; None without any.

    Args:
        data: The images of the run.
        seed: That they were drawn with.
        progress: Progress callback.
    """
    images = data.calibration
    if images is None:
        return None
    warnings = calibration_warnings(images, functools.partial(progress.stage, "look for calibration warnings"))
    return CalibrationRecord(
        source=images.source,
        ids=images.ids,
        sha256=set_sha256(images),
        seed=seed,
        images_sha256=sorted_digests(images),
        count=len(images),
        warnings=warnings,
    )
