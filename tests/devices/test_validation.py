from __future__ import annotations

import math

import pytest
from scipy.stats import kendalltau

from edgevit.devices.validation import RowPrediction, Unmapped, kendall, score
from tests.devices.rows import made_up


def test_scores_of_known_errors() -> None:
    rows, _ = made_up(5)
    chosen = [row for row in rows if row.configuration.device == "fast"]
    factors = (1.0, 1.05, 1.15, 0.7, 2.0)
    predicted = [
        RowPrediction(
            row.id, row.latency_ms * factor, row.latency_ms * 0.9, row.latency_ms * (1.5 if factor < 2 else 0.95), ""
        )
        for row, factor in zip(chosen, factors, strict=True)
    ]
    found = score(
        "fast",
        "cpu",
        list(zip(chosen, predicted, strict=True)),
        [row.latency_ms * 1.2 for row in chosen[:2]] + [math.nan] * 3,
    )
    assert (found.n, found.within_10, found.within_20, found.coverage) == (5, 0.4, 0.6, 0.8)
    assert found.median_error == pytest.approx(0.15)
    assert found.mean_error == pytest.approx(0.3)
    assert found.least_squares == pytest.approx(0.2)
    assert found.tau is not None


def test_no_order_without_four_models() -> None:
    rows, _ = made_up(3)
    predicted = [(row, RowPrediction(row.id, 1, 1, 1, "")) for row in rows]
    assert score("all", "all", predicted).tau is None
    assert score("all", "all", predicted).least_squares is None
    assert Unmapped("a", "b").reason == "b"


@pytest.mark.parametrize(
    "pairs", [[(1, 1), (2, 3), (3, 2), (4, 4)], [(1, 2), (1, 3), (2, 3), (5, 1)], [(1, 4), (2, 3), (3, 2)]]
)
def test_kendall_is_scipys(pairs: list[tuple[float, float]]) -> None:
    assert kendall(pairs) == pytest.approx(kendalltau(*zip(*pairs, strict=True)).statistic)


def test_kendall_of_equal_numbers_is_unknown() -> None:
    assert kendall([(1, 1), (1, 2)]) is None
