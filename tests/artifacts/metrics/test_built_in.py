"""The table of metrics."""

import pytest

from edgevit.artifacts.metrics.built_in import BUILT_IN, find_metric
from edgevit.errors import UsageError


def test_each_metric_has_the_name_that_it_is_found_by() -> None:
    assert all(metric.name == name for name, metric in BUILT_IN.items())
    assert {"top1", "agreement", "value", "multilabel"} <= BUILT_IN.keys()


def test_a_name_that_is_nowhere_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown metric: 'top-1'") as caught:
        find_metric("top-1")
    assert "did you mean top1" in str(caught.value.hint)
    assert "package.module:function" in str(caught.value.hint)
    assert find_metric("multilabel") is BUILT_IN["multilabel"]
