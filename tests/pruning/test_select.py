"""Which units leave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.pruning.gram import Moments
from edgevit.pruning.refit import Reader, damped, refit
from edgevit.pruning.select import Choices, allocate, eliminate, removals, single_divergences


def problem(inputs: int, seed: int) -> tuple[Reader, Moments, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(400, inputs)) @ random.normal(size=(inputs, inputs))
    reader = Reader(random.normal(size=(3, inputs)), random.normal(size=3))
    return reader, Moments(rows.mean(axis=0), np.cov(rows.T, bias=True)), rows


def error(reader: Reader, moments: Moments, kept: list[int]) -> float:
    """Mean squared error of the refitted layer, by the moments of its inputs, with the ridge that both are found with."""
    change = -reader.weight
    change[:, kept] += refit(reader, moments, kept).weight
    return float(np.trace(change @ damped(moments) @ change.T))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
@example(819)
def test_the_first_to_leave_is_the_best_and_errors_are_those_of_refitting(seed: int) -> None:
    reader, moments, _ = problem(6, seed)
    found = eliminate(reader, moments, 4)
    alone = [error(reader, moments, [unit for unit in range(6) if unit != gone]) for gone in range(6)]
    assert alone[found.order[0]] == pytest.approx(min(alone), rel=1e-3)
    for removed in range(1, 5):
        refitted = error(reader, moments, found.kept(6, removed))
        assert found.errors[removed] == pytest.approx(refitted, rel=1e-3)
    assert (np.diff(found.errors) >= 0).all()
    assert len(set(found.order)) == 4


def test_a_unit_that_others_make_up_for_leaves_first() -> None:
    reader, _, rows = problem(5, 3)
    rows = np.column_stack([rows, rows[:, 0] - rows[:, 3]])
    weight = np.column_stack([reader.weight, 5 * np.ones(3)])  # large, so that magnitude would keep it
    found = eliminate(Reader(weight, reader.bias), Moments(rows.mean(axis=0), np.cov(rows.T, bias=True)), 2)
    assert found.order[0] in (0, 3, 5)
    assert found.errors[1] < 1e-3 * found.errors[2]


def test_widths_are_multiples_of_the_step() -> None:
    assert removals(192, 8)[:3] == (0, 8, 16)
    assert 192 - removals(192, 8)[-1] == 96
    assert removals(190, 8)[:2] == (0, 6)
    assert removals(100, 16) == (0, 4, 20, 36)
    assert removals(8, 8) == (0,)


@given(st.integers(1, 500), st.sampled_from([8, 16]))
def test_half_stays(units: int, step: int) -> None:
    found = removals(units, step)
    assert found[0] == 0
    assert list(found) == sorted(set(found))
    for removed in found[1:]:
        assert (units - removed) % step == 0
        assert 2 * (units - removed) >= units


def test_what_is_expected_of_a_removal_grows_as_the_error_does() -> None:
    errors = np.array([0, 1.0, 4.0, 9.0])
    np.testing.assert_allclose(single_divergences((0, 1, 3), errors, 2, 0.2), [0, 0.05, 0.45])
    assert (single_divergences((0, 1), np.zeros(2), 1, 0.1) == 0).all()
    assert (single_divergences((0, 1), errors, 1, -1e-9) == 0).all()  # what is measured may lie below zero by rounding


convex = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda gains: np.cumsum([0, *sorted(gains)]))


@settings(max_examples=40, deadline=None)
@given(st.lists(convex, min_size=2, max_size=3), st.integers(1, 6))
def test_it_equals_brute_force_where_each_step_costs_more_than_the_one_before(
    curves: list[np.ndarray], steps: int
) -> None:
    groups = {str(n): Choices((0, 8, 16, 24), curve, 1.0) for n, curve in enumerate(curves)}
    steps = min(steps, 3 * len(groups))
    found = allocate(groups, 8.0 * steps)
    assert sum(found.values()) == 8 * steps
    chosen = sum(curve[found[str(n)] // 8] for n, curve in enumerate(curves))
    every = itertools.product(range(4), repeat=len(curves))
    best = min(sum(c[k] for c, k in zip(curves, each, strict=True)) for each in every if sum(each) == steps)
    assert chosen == pytest.approx(best)


def test_macs_count_and_not_units() -> None:
    dear, cheap = Choices((0, 8), np.array([0, 0.1]), 10.0), Choices((0, 8), np.array([0, 0.09]), 1.0)
    assert allocate({"dear": dear, "cheap": cheap}, 80.0) == {"dear": 8, "cheap": 0}
    assert allocate({"dear": dear, "cheap": cheap}, 8.0) == {"dear": 0, "cheap": 8}
    assert allocate({"dear": dear, "cheap": cheap}, 1e9) == {"dear": 8, "cheap": 8}
