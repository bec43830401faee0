"""Which points are made next."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.results.search import PointSettings
from edgevit.search.factors import Corrected
from edgevit.search.propose import Option, Proposals, Within, is_dominated
from edgevit.search.proxy import Predicted
from tests.search.synthetic import axes

FRONT = np.array([[0.0, 20.0, 22e6], [2.0, 8.0, 6e6]])


def _option(name: str, drop: float, ms: float, *, makes: int = 1, spread: float = 0.0) -> Option:
    point = PointSettings("net", "onnxruntime", "static_wi8_ai8", tokens=name)
    others = tuple(PointSettings("net", "onnxruntime", "fp32", tokens=f"{name} {n}") for n in range(makes - 1))
    predicted = Predicted(
        Corrected(0.1, 0.1, 0.1),
        Corrected(drop, drop - spread, drop + spread),
        Corrected(ms, ms - spread, ms + spread),
        Corrected(6e6, 6e6, 6e6),
    )
    return Option(point, predicted, dict.fromkeys((*others, point), 1.0))


def _names(options: list[Option], most: int, *, everything: bool = False) -> list[str]:
    chosen = Proposals(axes(), options, 0).batch(FRONT, most, everything=everything)
    return [each.option.point.tokens for each in chosen]


def test_the_largest_gain_comes_first_and_a_gain_has_its_price() -> None:
    assert _names([_option("small", 1.8, 7.8), _option("large", 1.0, 4.0)], 1) == ["large"]
    assert _names([_option("one", 1.5, 6.0), _option("four", 1.4, 5.9, makes=4)], 4) == ["one"]


def test_points_of_a_batch_do_not_gain_the_same_twice() -> None:
    same = [_option("first", 1.0, 4.0), _option("same", 1.01, 4.02), _option("other", 0.5, 7.0)]
    assert _names(same, 2) == ["first", "other"]


def test_what_does_not_fit_is_left_for_later() -> None:
    assert _names([_option("large", 0.2, 3.0, makes=3), _option("small", 1.0, 5.0)], 2) == ["small"]


def test_what_adds_nothing_is_made_only_where_everything_is() -> None:
    worse = [_option("worse", 3.0, 9.0)]
    assert _names(worse, 1) == []
    assert _names(worse, 1, everything=True) == ["worse"]


def test_a_point_that_may_be_the_fastest_within_the_limit_comes_first() -> None:
    """The front gains more elsewhere; of two that may keep the limit, the likelier one is made."""
    options = [
        _option("large", 2.5, 1.0),
        _option("likely", 0.9, 9.0, spread=0.3),
        _option("unlikely", 1.4, 9.0, spread=0.3),
    ]
    assert _names(options, 1) == ["large"]
    chosen = Proposals(axes(), options, 0).batch(FRONT, 2, limits={"net": Within(1.0, 10.0)})
    assert [each.option.point.tokens for each in chosen] == ["likely", "large"]


@pytest.mark.parametrize(("drop", "ms"), [(0.5, 9.95), (1.5, 5.0)], ids=["no faster", "beyond the limit"])
def test_what_cannot_be_the_fastest_within_the_limit_is_not_made_for_it(drop: float, ms: float) -> None:
    assert Proposals(axes(), [_option("point", drop, ms)], 0).rank_within({"net": Within(1.0, 10.0)}) == []


def test_the_improvement_within_a_limit_is_a_share_of_the_latency_in_the_draws_that_keep_it() -> None:
    (ranked,) = Proposals(axes(), [_option("point", 0.5, 6.0)], 0).rank_within({"net": Within(1.0, 10.0)})
    assert ranked.gain == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("drop", "ms", "spread", "expected"),
    [(3.0, 9.0, 0.0, True), (3.0, 9.0, 1.5, False), (1.0, 4.0, 0.0, False), (6.0, 1.0, 0.5, True)],
)
def test_a_point_is_dominated_where_its_best_ends_are(drop: float, ms: float, spread: float, *, expected: bool) -> None:
    """Also where it is beyond every loss that counts."""
    assert is_dominated(_option("point", drop, ms, spread=spread), FRONT, axes()) is expected
