"""What a metric is: a name, a unit, and a function from outputs to one number, higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edgevit.errors import UsageError
from edgevit.results.metric import Unit, points_per_unit

Outputs: TypeAlias = Mapping[str, np.ndarray]
"""Each output of a model by name, float [n, ...], which may be memory-mapped; a classifier has one, [n, classes]."""


@dataclass(frozen=True)
class Predictions:
    """What a metric reads: a model's outputs, and what they are compared with."""

    outputs: Outputs
    reference: Outputs
    """Of the original float model on the same images."""
    labels: np.ndarray | None
    """[n, ...]: int64 [n] class indices, float64 [n] values, bool [n, classes] whether an image has each class, or uint8 [n, h, w]
    the class of each pixel, 255 for none; None without labels."""

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def select(self, places: Sequence[int] | np.ndarray) -> Predictions:
        """Returns the predictions for some images.

        Args:
            places: int [m], of the images, in this order; one may occur several times.
        """
        chosen = np.asarray(places, dtype=np.int64)
        outputs, reference = (
            {name: array[chosen] for name, array in arrays.items()} for arrays in (self.outputs, self.reference)
        )
        return Predictions(outputs, reference, None if self.labels is None else self.labels[chosen])


@dataclass(frozen=True)
class Score:
    """What a metric says of predictions."""

    value: float
    """Finite; higher is better."""
    per_image: np.ndarray | None = None
    """float64 [n], whose mean is ``value``; None where the metric is no mean of values of single images."""
    resample: Callable[[np.ndarray], float] | None = None
    """Value for the images at places int [m], one of which may occur several times; None where the metric has to be taken anew."""


@dataclass(frozen=True)
class Metric:
    """How models are judged."""

    name: str
    """Such as "top1", or "package.module:function" of a user's own."""
    unit: Unit
    needs_labels: bool
    compute: Callable[[Predictions], Score]
    """Raises UsageError where the outputs or labels are not such as the metric reads."""

    def score(self, predictions: Predictions) -> Score:
        """Judges predictions.

        Args:
            predictions: For at least one image.

        Raises:
            UsageError: the outputs or labels are not such as the metric reads, or it gives no finite number.
        """
        found = self.compute(predictions)
        if not np.isfinite(found.value):
            raise UsageError(
                f"{self.name} gives {found.value}, which is no finite number",
                "let the metric give a finite number for all images together; or do the outputs hold NaN or infinity?",
            )
        return found

    def drop(self, before: float, after: float) -> float:
        """Returns how much worse the second value is: in percentage points where the unit is "%", else in the metric's unit."""
        return points_per_unit(self.unit) * (before - after)


def mean_of(per_image: np.ndarray) -> Score:
    """Returns the score of a metric that is the mean of values of single images.

    Args:
        per_image: [n], n >= 1.
    """
    values = np.asarray(per_image, dtype=np.float64)
    return Score(float(values.mean()), values)


def only_output(outputs: Outputs, metric: str) -> np.ndarray:
    """Returns the one output, float [n, outputs], of a model that has no other.

    Args:
        outputs: Of a model.
        metric: Its name, for the message.

    Raises:
        UsageError: there are several, or it is not a row for each image.
    """
    if len(outputs) != 1:
        raise UsageError(
            f"{metric} judges a model with one output, and this one has {len(outputs)}: {', '.join(outputs)}",
            "give --metric package.module:function, which reads them all by name",
        )
    (array,) = outputs.values()
    if array.ndim != 2:
        raise UsageError(
            f"{metric} judges a row of outputs for each image, and this model gives {list(array.shape[1:])}",
            "give --metric package.module:function",
        )
    return array
