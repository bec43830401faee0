"""The name of a metric given in memory, by which a spec, and a run that is resumed, can find it again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from edgevit.errors import UsageError

OwnMetric = Callable[[np.ndarray, np.ndarray], float]
"""Takes the outputs of a model, float32 [n, outputs], and the labels, [n, ...]; higher is better."""

_HINT = (
    "write it as a function at the top level of a file, such as my_metrics.py, and give my_metrics.metric, or its name:"
    ' "my_metrics:metric"'
)


def metric_name(metric: OwnMetric | str) -> str:
    """Returns the name of a metric: "package.module:function" of a function that can be found by it.

    Args:
        metric: A name as ``--metric`` has it, or a function; one of the script or notebook that is running is found by this
            process alone.

    Raises:
        UsageError: it is a lambda, a function within a function or an object, which has no such name.
    """
    if isinstance(metric, str):
        return metric
    module, name = getattr(metric, "__module__", None), getattr(metric, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise UsageError(f"the metric is a {type(metric).__name__}, which has no name to be found by", _HINT)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not metric:
        raise UsageError(f"the metric {module}:{name} is not found under this name", _HINT)
    return f"{module}:{name}"
