"""A user's own metric: a Python function (outputs, labels) → float, higher is better."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of
from edgevit.errors import UsageError
from edgevit.model.user_code import user_code
from edgevit.model.user_names import find_callable

_FORM = "write def metric(outputs, labels): …, which returns a float, higher is better"


def own_metric(name: str) -> Metric:
    """Finds a user's own metric.

    It is called with the outputs, float32 [n, outputs] (of a model with several outputs a dict of arrays by name), and the
    labels, and returns a float, or an array [n] of a value for each image, whose mean is then the metric.

    Args:
        name: "package.module:function".

    Raises:
        UsageError: there is no such function, or it cannot be called with two arguments.
    """
    function = find_callable(name, "function", "scores outputs")
    _check_signature(name, function)
    return Metric(name, "", needs_labels=True, compute=lambda predictions: _call(name, function, predictions))


def _check_signature(name: str, function: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a class or function written in C
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise UsageError(f"{name}(outputs, labels) cannot be called: {error}", _FORM) from error


def _call(name: str, function: Callable[..., Any], predictions: Predictions) -> Score:
    """Calls it with copies: what it does to its arguments is its own affair."""
    outputs: Any = {key: np.array(array) for key, array in predictions.outputs.items()}
    if len(outputs) == 1:
        (outputs,) = outputs.values()
    labels = None if predictions.labels is None else predictions.labels.copy()
    with user_code(f"calling {name}"):
        found = function(outputs, labels)
    if hasattr(found, "detach"):  # a torch tensor
        found = found.detach().cpu().numpy()
    if isinstance(found, np.ndarray) and found.ndim == 0:
        found = found.item()
    if isinstance(found, np.ndarray) and found.shape == (len(predictions),) and found.dtype.kind in "bfiu":
        return mean_of(found)
    if isinstance(found, numbers.Real) and not isinstance(found, bool):
        return Score(float(found))
    raise UsageError(f"{name} returned {_told(found)}, not a float", _FORM)


def _told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {list(value.shape)}"
    return "None" if value is None else type(value).__name__
