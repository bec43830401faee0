"""The metric that a spec names, found and held against the model and the labels before anything heavy starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgevit.artifacts.metrics.built_in import BUILT_IN, OF_CLASSES, find_asked_metric, find_metric
from edgevit.artifacts.metrics.fidelity import COSINE
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.artifacts.metrics.segmentation import MIOU, class_map
from edgevit.data.masks import open_masks
from edgevit.data.output_labels import check_classes
from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.results.output import outputs_line
from edgevit.spec.spec import Spec

_DEFAULT = "top1"


def open_metric(spec: Spec) -> Metric | None:
    """Finds the metric that a spec names.

    Args:
        spec: What to do.

    Returns:
        None for top-1, and where the spec names none, see :func:`default_metric`.

    Raises:
        UsageError: there is no such metric, or the largest drop is not said in its unit.
    """
    name, budget = spec.budget.metric, spec.budget
    if name is None or name == _DEFAULT:
        return None
    if ":" in name:
        ensure_torchvision_schemas()  # the user's module may import timm or torchvision
    metric = find_asked_metric(name)
    if metric.unit != "%" and "max_drop" not in budget.model_fields_set:
        raise UsageError(
            f"the largest drop is not said, and {name} has a unit of its own",
            "say how much of it a candidate may lose: --max-drop 0.02, or max_drop under [budget]",
        )
    if metric.unit == "%" and budget.max_drop > 100:
        raise UsageError(
            f"budget.max_drop is {budget.max_drop:g}, and {name} is in percent", "give percentage points, 0 to 100"
        )
    return metric


def default_metric(spec: Spec, model: Model) -> Metric | None:
    """Returns what candidates are judged by where the spec names no metric.

    Args:
        spec: What to do.
        model: That it is done to.

    Returns:
        None for a classifier, which is judged by top-1, without labels by agreement with the float model; of any other model the
        mIoU with masks, without masks the cosine similarity to the float model.
    """
    if spec.budget.metric is not None or model.num_classes:
        return None
    return COSINE if spec.data.masks is None else MIOU


def check_metric(spec: Spec, model: Model, data: RunData) -> None:
    """Refuses a metric that the images or the outputs of the model are not for.

    Raises:
        UsageError: says what it lacks.
    """
    name = spec.budget.metric
    if name is None:
        for images in (data.evaluation, *data.others):
            if images is not None and model.num_classes:
                check_classes(images)
        return
    if name in OF_CLASSES and not model.num_classes:
        raise UsageError(
            f"--metric {name} is for classifiers, and {model.name} gives {outputs_line(model.outputs)}",
            "give cosine, snr in dB, or package.module:function of your own, which reads the outputs by name",
        )
    metric, labels = find_metric(name), data.targets
    if data.evaluation is None and data.calibration is None:
        raise UsageError(f"--metric {name} has no effect without images", "give --data, or leave it out")
    if metric is MIOU and spec.data.masks is None:
        raise UsageError("--metric miou compares with masks", "give --masks DIR, a .png for each image by its stem")
    if metric.needs_labels and labels is None:
        raise UsageError(
            f"--metric {name} needs labels, and the images have none",
            "give --data with labels: class folders, or a folder with labels.csv; without labels there are agreement, value"
            " and multilabel",
        )
    if name in BUILT_IN:
        images = data.evaluation or data.calibration
        assert images is not None
        shapes = {output.name: (len(images), *output.shape) for output in model.outputs}
        nothing = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
        metric.score(Predictions(nothing, nothing, labels))  # it says what it cannot read


def with_masks(spec: Spec, model: Model, data: RunData) -> RunData:
    """Returns the images of a run with the masks that the spec names for its evaluation images.

    Raises:
        UsageError: the model is a classifier or gives no map, or a mask cannot be read or does not fit.
    """
    if spec.data.masks is None or data.evaluation is None:
        return data
    if model.num_classes:
        raise UsageError(
            f"--masks is given, and {model.name} is a classifier of {model.num_classes} classes",
            "leave it out; masks are for models that return a map [n, classes, h, w]",
        )
    shapes = {output.name: np.broadcast_to(np.float32(0), (1, *output.shape)) for output in model.outputs}
    _, classes, height, width = class_map(shapes).shape
    masks = open_masks(data.evaluation, spec.data.masks, model.preprocessing, (height, width), max(classes, 2))
    return replace(data, masks=masks)
