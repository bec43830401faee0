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
    """Returns the images that artifacts are verified with, and evaluated on where there are labels, in tiles if they are so fed.

    Args:
        stages: Of the run; the first call for a preprocessing is a stage.
        inputs: Of the run.
        preprocessing: Of the model that takes them.

    Raises:
        UsageError: an image cannot be read.
    """
    which = "calibration" if inputs.images == inputs.calibration and preprocessing.tiles is None else "evaluation"
    return _prepared(stages, inputs.images, which, preprocessing, all_tiles=True)


def calibration_images(stages: Stages, inputs: Inputs, preprocessing: Preprocessing) -> PreparedImages | None:
    """Returns the images that quantizers are calibrated with, see :func:`evaluation_images`; None if there are none.

    Of an image that is fed in tiles it is one, so that what the quantizer sees is as large as what it will see.
    """
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
    return _prepared(stages, samples, f"evaluation set {number}", preprocessing, all_tiles=True)


def tuning_images(stages: Stages, samples: Samples, preprocessing: Preprocessing) -> PreparedImages:
    """Returns images to fine-tune with, see :func:`calibration_images`."""
    return _prepared(stages, samples, f"fine-tuning {_key(samples, preprocessing)[:6]}", preprocessing)


def _prepared(
    stages: Stages, samples: Samples, which: str, preprocessing: Preprocessing, *, all_tiles: bool = False
) -> PreparedImages:
    in_tiles = all_tiles and preprocessing.tiles is not None
    pixels = stages.folder.work(f"images/{_key(samples, preprocessing, in_tiles)}.npy")
    task = images_task(PrepareImagesJob(samples, preprocessing, pixels, all_tiles=in_tiles))
    height, width = preprocessing.input_size
    return stages.run_in_child(f"preprocess {which} images {height}x{width}", "preprocess", task)


def _key(samples: Samples, preprocessing: Preprocessing, in_tiles: bool = False) -> str:
    """Of the pixels of an array: which images, in which order, resized and cropped how."""
    geometry = {name: value for name, value in dataclasses.asdict(preprocessing).items() if name not in ("mean", "std")}
    document = json.dumps([samples.source, samples.ids, geometry, in_tiles])
    return hashlib.sha256(document.encode()).hexdigest()[:16]
