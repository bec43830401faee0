from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from edgevit.devices.hierarchical import Level, Problem, _Fit, fit

LEVELS = (Level("device", "family", 0.01, 0.01), Level("session", "feature", 0.1, 1.0))
FAMILIES = (0, 0, 1)


def problem(rows: int = 60) -> Problem:
    random = np.random.default_rng(0)
    x = np.exp(random.normal(size=(rows, 3)))
    slow = np.arange(rows) % 2
    log_t = np.log(x @ np.array([1.0, 0.5, 2.0])) + slow * np.log(3)
    return Problem(
        x, log_t, {"device": [f"d{number}" for number in slow], "session": [f"s{number}" for number in slow]}
    )


def test_the_gradient_is_that_of_the_loss() -> None:
    made = _Fit(problem(12), LEVELS, np.array(FAMILIES), 0.15)
    z = np.random.default_rng(1).normal(size=sum(made._sizes)) * 0.3
    numeric = approx_fprime(z, lambda at: made._loss(at)[0], 1e-7)
    assert made._loss(z)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_it_finds_the_costs_that_made_the_latencies_where_nothing_shrinks_them() -> None:
    given = problem()
    fitted = fit(given, (Level("device", "family", 1e-4, 1e-4), Level("session", "feature", 1e-3, 1e-2)), FAMILIES)
    assert np.abs(fitted.predict(given.x, given.groups) - given.log_t).max() < 0.05


def test_an_unknown_group_is_predicted_from_the_levels_above() -> None:
    given = problem()
    fitted = fit(given, LEVELS, FAMILIES)
    unknown = fitted.predict(given.x, {"device": ["d2"] * 60, "session": ["s2"] * 60})
    difference = unknown - (given.log_t - np.log(3) * (np.arange(60) % 2))
    assert 0.1 * np.log(3) < difference.mean() < 0.9 * np.log(3)  # between the two devices, a factor of 3 apart


def test_costs_are_positive() -> None:
    given = problem()
    fitted = fit(given, LEVELS, FAMILIES)
    assert (np.exp(fitted.log_costs({"device": "d0"})) > 0).all()
