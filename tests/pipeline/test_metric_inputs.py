"""The metric of a spec, before anything heavy starts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.pipeline.metric_inputs import check_metric, open_metric
from edgevit.spec.spec import Spec
from tests.pipeline.contexts import CONTRACT, digits_spec, noise

_MODEL = Model("small", nn.Identity(), CONTRACT, 4, random_weights=False)
_LABELLED, _PLAIN = RunData(noise(4, (0, 1, 2, 3)), None), RunData(None, noise(4))


def _spec(**budget: Any) -> Spec:
    return digits_spec(budget=budget)


@pytest.fixture
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metric_inputs_own.py").write_text("def score(outputs, labels): return 1.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_top1_is_what_candidates_are_judged_by_anyway() -> None:
    assert open_metric(_spec()) is None
    assert open_metric(_spec(metric="top1")) is None


def test_points_have_a_default_and_other_units_do_not() -> None:
    found = open_metric(_spec(metric="multilabel"))
    assert found is not None
    assert found.unit == "%"
    with pytest.raises(UsageError, match="the largest drop is not said, and value has a unit of its own"):
        open_metric(_spec(metric="value"))
    assert open_metric(_spec(metric="value", max_drop=250.0)) is not None
    with pytest.raises(UsageError, match="multilabel is in percent"):
        open_metric(_spec(metric="multilabel", max_drop=250.0))


@pytest.mark.usefixtures("_own")
def test_ones_own_is_found_and_needs_labels() -> None:
    spec = _spec(metric="metric_inputs_own:score", max_drop=0.02)
    found = open_metric(spec)
    assert found is not None
    assert found.name == "metric_inputs_own:score"
    check_metric(spec, _MODEL, _LABELLED)
    with pytest.raises(UsageError, match="needs labels, and the images have none"):
        check_metric(spec, _MODEL, _PLAIN)


def test_a_metric_that_the_model_or_labels_are_not_for_is_refused() -> None:
    value, multilabel = _spec(metric="value", max_drop=1.0), _spec(metric="multilabel")
    with pytest.raises(UsageError, match="4 outputs"):
        check_metric(value, _MODEL, _PLAIN)
    check_metric(value, replace(_MODEL, num_classes=1), _PLAIN)
    with pytest.raises(UsageError, match="the labels are classes"):
        check_metric(value, replace(_MODEL, num_classes=1), _LABELLED)
    check_metric(multilabel, _MODEL, _PLAIN)
    with pytest.raises(UsageError, match="another kind"):
        check_metric(multilabel, _MODEL, _LABELLED)
    with pytest.raises(UsageError, match="no effect without images"):
        check_metric(multilabel, _MODEL, RunData(None, None))
