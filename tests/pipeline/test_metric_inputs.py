"""The metric of a spec, before anything heavy starts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import nn

from edgevit.artifacts.metrics.fidelity import COSINE
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.data.images import open_images
from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.pipeline.metric_inputs import check_metric, default_metric, open_metric, with_masks
from edgevit.results.output import Output
from edgevit.spec.spec import BudgetSpec, DataSpec, Spec
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


def _mapped() -> Model:
    return replace(_MODEL, num_classes=0, named_outputs=(Output("pooled", (6,)), Output("out", (3, 4, 4))))


def test_a_model_that_is_no_classifier_is_judged_by_cosine_with_masks_by_miou() -> None:
    assert default_metric(_spec(), _MODEL) is None
    assert default_metric(_spec(), _mapped()) is COSINE
    assert default_metric(_spec(metric="snr", max_drop=50.0), _mapped()) is None  # the spec's own
    masked = _spec().model_copy(update={"data": DataSpec(evaluation="photos", masks=Path("masks"))})
    assert default_metric(masked, _mapped()) is MIOU
    assert default_metric(masked, _MODEL) is None


@pytest.mark.parametrize("name", ["top1", "agreement", "multilabel"])
def test_metrics_of_classes_are_refused_without_classes(name: str) -> None:
    with pytest.raises(
        UsageError, match=rf"--metric {name} is for classifiers, and .* gives pooled \[6\], out \[3, 4, 4\]"
    ):
        check_metric(_spec(metric=name), _mapped(), _LABELLED)
    check_metric(_spec(metric="cosine"), _mapped(), _PLAIN)
    check_metric(_spec(metric="snr", max_drop=50.0), _mapped(), _PLAIN)
    with pytest.raises(UsageError, match="miou compares with masks"):
        check_metric(_spec(metric="miou"), _mapped(), _PLAIN)


def test_masks_are_for_maps(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "a.png")
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8), 2).save(tmp_path / "masks" / "a.png")
    data = RunData(open_images(str(images)), None)
    spec = _spec().model_copy(update={"data": DataSpec(evaluation=str(images), masks=tmp_path / "masks")})
    assert with_masks(_spec(), _mapped(), data) is data
    found = with_masks(spec, _mapped(), data)
    assert found.targets is not None
    assert found.targets.tolist() == [[[2] * 4] * 4]
    check_metric(spec.model_copy(update={"budget": BudgetSpec(metric="miou")}), _mapped(), found)
    with pytest.raises(UsageError, match="--masks is given, and .* is a classifier"):
        with_masks(spec, _MODEL, data)
    with pytest.raises(UsageError, match="miou compares a map"):
        with_masks(spec, replace(_mapped(), named_outputs=(Output("pooled", (6,)),)), data)
