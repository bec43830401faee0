"""The images of a run as children read them: decoded once per set and preprocessing."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages, PrepareImagesJob
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.tasks import images_task
from edgevit.results.artifact import Preprocessing
from edgevit.run.stages import Stages


def evaluation_images(stages: Stages, inputs: Inputs, preprocessing: Preprocessing) -> PreparedImages:
    """Returns the images that artifacts are verified with, and evaluated on where there are labels.

    Args:
        stages: Of the run; the first call for a preprocessing is a stage.
        inputs: Of the run.
        preprocessing: Of the model that takes them.

    Raises:
        UsageError: an image cannot be read.
    """
    if inputs.images == inputs.calibration:
        return _prepared(stages, inputs.images, "calibration", preprocessing)
    return _prepared(stages, inputs.images, "evaluation", preprocessing)


def calibration_images(stages: Stages, inputs: Inputs, preprocessing: Preprocessing) -> PreparedImages | None:
    """Returns the images that quantizers are calibrated with, see :func:`evaluation_images`; None if there are none."""
    if inputs.calibration is None:
        return None
    return _prepared(stages, inputs.calibration, "calibration", preprocessing)


def further_images(stages: Stages, samples: Samples, preprocessing: Preprocessing, number: int) -> PreparedImages:
    """Returns the images of a further evaluation set, see :func:`evaluation_images`.

    Args:
        stages: Of the run.
        samples: The set.
        preprocessing: Of the model that takes them.
        number: Of the set, 2 for the first after that which chooses.
    """
    return _prepared(stages, samples, f"evaluation set {number}", preprocessing)


def tuning_images(stages: Stages, samples: Samples, preprocessing: Preprocessing) -> PreparedImages:
    """Returns images to fine-tune with, see :func:`evaluation_images`."""
    return _prepared(stages, samples, f"fine-tuning {_key(samples, preprocessing)[:6]}", preprocessing)


def _prepared(stages: Stages, samples: Samples, which: str, preprocessing: Preprocessing) -> PreparedImages:
    pixels = stages.folder.work(f"images/{_key(samples, preprocessing)}.npy")
    task = images_task(PrepareImagesJob(samples, preprocessing, pixels))
    height, width = preprocessing.input_size
    return stages.run_in_child(f"preprocess {which} images {height}x{width}", "preprocess", task)


def _key(samples: Samples, preprocessing: Preprocessing) -> str:
    """Of the pixels of an array: which images, in which order, resized and cropped how."""
    geometry = {name: value for name, value in dataclasses.asdict(preprocessing).items() if name not in ("mean", "std")}
    document = json.dumps([samples.source, samples.ids, geometry])
    return hashlib.sha256(document.encode()).hexdigest()[:16]
