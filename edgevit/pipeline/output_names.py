"""The name of the class of each output, for artifacts to carry."""

from __future__ import annotations

from edgevit.data.class_order import IMAGENET_CLASSES, imagenet_order
from edgevit.data.labels_file import read_labels
from edgevit.data.sampling import RunData
from edgevit.model.class_names import imagenet_class_names
from edgevit.model.load import Model
from edgevit.results.contract import names_by_output
from edgevit.spec.spec import Spec


def output_names(spec: Spec, model: Model, data: RunData) -> tuple[str, ...]:
    """Returns the names of a labels file, else of class folders, else those of the model itself; none without classes.

    Raises:
        UsageError: the labels file names more or fewer classes than the model has outputs.
    """
    if not model.num_classes:
        return ()
    if spec.export.labels is not None:
        return read_labels(spec.export.labels, model.num_classes)
    order = data.evaluation.classes if data.evaluation else None
    if order is None:
        return model.class_names
    if model.num_classes == IMAGENET_CLASSES and imagenet_order(tuple(order.index)):
        return imagenet_class_names()
    return names_by_output(order.index, model.num_classes) or model.class_names
