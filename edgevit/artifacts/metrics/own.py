"""A user's own metric: a Python function (outputs, labels) → float, higher is better."""

from __future__ import annotations

import inspect
import numbers
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.user_code import user_code
from edgevit.model.user_names import find_callable
from edgevit.run.progress import Silent
from edgevit.run.stages import child_runner
from edgevit.run.task import Task

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
    function = _find(name)
    _check_signature(name, function)
    return Metric(name, "", needs_labels=True, compute=lambda predictions: _call(name, function, predictions))


@dataclass(frozen=True)
class ImportJob:
    """A user's module to import on trial."""

    name: str
    """package.module:function."""
    search_path: tuple[str, ...]
    """Where the parent finds modules."""


@dataclass(frozen=True)
class Imported:
    """That an import ended."""

    found: bool
    """Whether the function is there; if not, the parent tells why when it imports the module itself."""


def import_on_trial(job: ImportJob) -> Imported:
    """Imports a user's module in the child process that this is called in.

    Args:
        job: What to import.
    """
    sys.path.extend(place for place in job.search_path if place not in sys.path)
    try:
        _find(job.name)
    except UsageError:
        return Imported(found=False)
    return Imported(found=True)


def check_import_ends(name: str, seconds: float = 60.0) -> None:
    """Imports a user's module in a child process first: one that crashes, or never ends, cannot harm this process.

    A module that this process has imported already is left alone.

    Args:
        name: "package.module:function".
        seconds: The import may take.

    Raises:
        UsageError: it ends the process, or takes longer.
    """
    module = name.partition(":")[0]
    if module in sys.modules:
        return
    job = ImportJob(name, tuple(filter(None, sys.path)))
    try:
        with child_runner(Silent(), seconds) as children:
            children.run(f"import {module}", Task(import_on_trial, job, Imported))
    except CandidateFailed as error:
        raise UsageError(
            f"{module} cannot be imported: {error.message.removeprefix('import on trial: ')}",
            f"let the module do nothing but define functions, within {seconds:g} s, and import it in Python first",
        ) from error


def _find(name: str) -> Callable[..., Any]:
    return find_callable(name, "function", "scores outputs")


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
