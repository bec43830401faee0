"""Whether the report of a search says that pruning was worth it, or was not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.pruning import pruning_lines
from edgevit.results.search import SearchPoint
from tests.factories import make_search, make_search_point


def _point(drop: float, ms: float, **settings: str) -> SearchPoint:
    made = make_search_point(drop=drop, ms=ms)
    return replace(made, settings=replace(made.settings, **settings))


PRUNED = _point(0.7, 9.0, prune="mlp=0.25", finetune="full")


def _lines(*points: SearchPoint) -> tuple[str, ...]:
    found = make_search(*points)
    return pruning_lines(found, found.models[0].name)


def test_a_smaller_image_without_training_that_is_as_fast_and_loses_less_is_named() -> None:
    (line,) = _lines(PRUNED, _point(0.6, 8.9, tokens="resolution:26"), _point(0.1, 9.1, tokens="resolution:28"))
    assert "does not beat" in line
    assert "resolution-26" in line
    assert "(change -0.60, 8.90 ms), which needs no training" in line


def test_pruning_that_loses_less_is_told() -> None:
    (line,) = _lines(PRUNED, _point(0.8, 8.9, tokens="resolution:26"))
    assert "beats the best plan without training that is as fast" in line


@pytest.mark.parametrize(
    "other",
    [
        _point(0.0, 8.0, tokens="resolution:26", finetune="quick"),
        _point(0.0, 9.1, tokens="resolution:26"),
        _point(0.0, 5.0, tokens="resolution:26", backend="litert"),
        _point(0.0, 5.0),
    ],
    ids=["trained", "slower", "another runtime", "no plan"],
)
def test_what_is_no_rival(other: SearchPoint) -> None:
    (line,) = _lines(PRUNED, other)
    assert "no plan without training is as fast" in line


def test_nothing_is_said_where_nothing_was_pruned_or_it_loses_too_much() -> None:
    assert _lines(_point(0.6, 8.9, tokens="resolution:26")) == ()
    assert _lines(_point(9.0, 5.0, prune="mlp=0.25")) == ()
