"""A metric of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.metrics.own import check_import_ends, own_metric
from edgevit.errors import UsageError

_SOURCE = """
import numpy as np
def share(outputs, labels): return float((outputs.argmax(1) == labels).mean())
def each(outputs, labels): return outputs.argmax(1) == labels
def by_name(outputs, labels): return outputs["a"].sum() - outputs["b"].sum()
def spoils(outputs, labels):
    outputs[:] = 0
    labels[:] = 0
    return np.float32(1)
def raises(outputs, labels): return 1 / 0
def leaves(outputs, labels): raise SystemExit(3)
def one(outputs): return 1.0
def three(outputs, labels, images): return 1.0
def nothing(outputs, labels): pass
def text(outputs, labels): return "0.5"
def truth(outputs, labels): return True
def short(outputs, labels): return np.zeros(2)
def nan(outputs, labels): return float("nan")
"""
_OUTPUTS = np.array([[3.0, 1], [0, 1], [1, 4]], np.float32)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics_of_mine.py").write_text(_SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "metrics_of_mine", raising=False)


def _predictions() -> Predictions:
    return Predictions({"logits": _OUTPUTS.copy()}, {"logits": _OUTPUTS}, np.array([0, 1, 0]))


def test_it_is_called_with_outputs_and_labels() -> None:
    metric = own_metric("metrics_of_mine:share")
    assert (metric.name, metric.unit, metric.needs_labels) == ("metrics_of_mine:share", "", True)
    score = metric.score(_predictions())
    assert score.value == pytest.approx(2 / 3)
    assert score.per_image is None


def test_a_value_for_each_image_is_their_mean() -> None:
    score = own_metric("metrics_of_mine:each").score(_predictions())
    assert score.value == pytest.approx(2 / 3)
    assert score.per_image is not None
    assert score.per_image.tolist() == [1, 1, 0]


def test_several_outputs_come_by_name() -> None:
    outputs = {"a": np.ones((2, 3)), "b": np.ones((2, 1, 2))}
    assert own_metric("metrics_of_mine:by_name").score(Predictions(outputs, outputs, None)).value == 2


def test_it_cannot_spoil_what_others_read() -> None:
    predictions = _predictions()
    assert own_metric("metrics_of_mine:spoils").score(predictions).value == 1
    assert predictions.outputs["logits"].tolist() == _OUTPUTS.tolist()
    assert predictions.labels is not None
    assert predictions.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("one", "cannot be called: too many positional arguments"),
        ("three", "cannot be called: missing a required argument: 'images'"),
        ("shares", "has no function 'shares'"),
    ],
)
def test_what_cannot_be_called_is_refused_before_anything_is_scored(function: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        own_metric(f"metrics_of_mine:{function}")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "raises",
            r"calling metrics_of_mine:raises: ZeroDivisionError: division by zero \(.*metrics_of_mine.py, line 10\)",
        ),
        ("leaves", r"it calls sys.exit\(3\)"),
        ("nothing", "returned None, not a float"),
        ("text", "returned str, not a float"),
        ("truth", "returned bool, not a float"),
        ("short", r"returned an array float64 \[2\], not a float"),
        ("nan", "gives nan, which is no finite number"),
    ],
)
def test_what_it_may_not_answer(function: str, message: str) -> None:
    metric = own_metric(f"metrics_of_mine:{function}")
    with pytest.raises(UsageError, match=message):
        metric.score(_predictions())


@pytest.mark.parametrize(
    ("body", "seconds", "said"),
    [
        ("import os; os._exit(0)", 60.0, "metric_to_try cannot be imported: "),
        pytest.param("while True: pass", 6.0, "metric_to_try cannot be imported: .*6 s", marks=pytest.mark.slow),
    ],
)
def test_an_import_that_ends_the_process_or_never_ends_is_refused(body: str, seconds: float, said: str) -> None:
    Path("metric_to_try.py").write_text(f"{body}\n")
    with pytest.raises(UsageError, match=said):
        check_import_ends("metric_to_try:score", seconds)
    assert "metric_to_try" not in sys.modules


def test_what_a_module_raises_is_told_when_it_is_imported_here() -> None:
    Path("metric_to_try.py").write_text("raise KeyError('depth')\n")
    check_import_ends("metric_to_try:score")
    with pytest.raises(UsageError, match=r"KeyError: 'depth' .*metric_to_try\.py, line 1"):
        own_metric("metric_to_try:score")
