"""The table of metrics."""

from edgevit.artifacts.metrics.built_in import BUILT_IN


def test_each_metric_has_the_name_that_it_is_found_by() -> None:
    assert all(metric.name == name for name, metric in BUILT_IN.items())
    assert {"top1", "agreement", "value", "multilabel"} <= BUILT_IN.keys()
