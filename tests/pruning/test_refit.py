"""Weights of the inputs that are left, by least squares."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.pruning.gram import Moments
from edgevit.pruning.refit import Reader, damped, refit


def rows_of(inputs: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(500, inputs)) @ random.normal(size=(inputs, inputs)) + random.normal(size=inputs)


def moments_of(rows: np.ndarray) -> Moments:
    return Moments(rows.mean(axis=0), np.cov(rows.T, bias=True))


def test_it_is_the_least_squares_solution_with_a_bias() -> None:
    rows, random = rows_of(7), np.random.default_rng(1)
    reader, kept = Reader(random.normal(size=(3, 7)), random.normal(size=3)), [0, 2, 3, 6]
    found = refit(reader, moments_of(rows), kept)
    wanted = rows @ reader.weight.T + reader.bias
    design = np.column_stack([rows[:, kept], np.ones(len(rows))])
    expected = np.linalg.lstsq(design, wanted, rcond=None)[0]
    ours, best = (
        np.square(wanted - design @ each).mean() for each in (np.vstack([found.weight.T, found.bias]), expected)
    )
    assert best <= ours <= 1.001 * best
    unchanged = np.square(wanted - rows[:, kept] @ reader.weight[:, kept].T - reader.bias).mean()
    assert ours < 0.5 * unchanged


def test_units_that_others_make_up_for_leave_without_a_trace() -> None:
    rows = rows_of(5)
    rows = np.column_stack([rows, rows @ np.array([1.0, -2, 0.5, 0, 1]) + 3])
    reader = Reader(np.random.default_rng(2).normal(size=(4, 6)), np.zeros(4))
    found = refit(reader, moments_of(rows), [0, 1, 2, 3, 4])
    np.testing.assert_allclose(rows[:, :5] @ found.weight.T + found.bias, rows @ reader.weight.T, atol=0.02)


def test_keeping_all_changes_nothing_and_nothing_is_singular() -> None:
    rows = rows_of(4)
    reader = Reader(np.random.default_rng(3).normal(size=(2, 4)), np.ones(2))
    found = refit(reader, moments_of(rows), [0, 1, 2, 3])
    np.testing.assert_allclose(found.weight, reader.weight, rtol=1e-9)
    np.testing.assert_allclose(found.bias, reader.bias, rtol=1e-9)
    dead = Moments(np.zeros(3), np.zeros((3, 3)))
    assert np.isfinite(np.linalg.inv(damped(dead))).all()
