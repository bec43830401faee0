"""Metrics given in memory, by a name that another process finds."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from edgevit.api.metric_name import metric_name
from edgevit.errors import UsageError


def plain(outputs: np.ndarray, labels: np.ndarray) -> float:
    """A metric at the top level of a file."""
    return float((outputs.argmax(1) == labels).mean())


class Scores:
    """A home for a metric."""

    @staticmethod
    def static(outputs: np.ndarray, labels: np.ndarray) -> float:
        """A metric in a class."""
        return float(outputs.sum() + labels.sum())


def test_a_function_is_named_by_its_module() -> None:
    assert metric_name(plain) == f"{__name__}:plain"
    assert metric_name(Scores.static) == f"{__name__}:Scores.static"
    assert metric_name("top1") == "top1"


def test_what_no_other_process_could_find_is_refused() -> None:
    def inner(outputs: np.ndarray, labels: np.ndarray) -> float:
        return plain(outputs, labels)

    for metric in (inner, lambda outputs, labels: 1.0):
        with pytest.raises(UsageError, match="is not found under this name") as caught:
            metric_name(metric)
        assert "top level of a file" in str(caught.value.hint)
    with pytest.raises(UsageError, match="is a partial, which has no name"):
        metric_name(functools.partial(plain))
