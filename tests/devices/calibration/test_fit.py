"""Costs from times: known ones are found again, and what the times do not tell stays as it was expected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.devices.calibration.fit import fit_costs
from edgevit.devices.calibration.prior import prior_cost

TRUE = {"macs linear": 9e-9, "moved layout": 1e-8, "constant": 0.01}


def rows(count: int) -> list[dict[str, float]]:
    random = np.random.default_rng(0)
    return [{"macs linear": 10 ** random.uniform(6, 8), "moved layout": 10 ** random.uniform(5, 7.5), "constant": 1.0} for _ in range(count)]  # fmt: skip


def time_of(row: dict[str, float]) -> float:
    return sum(TRUE[name] * value for name, value in row.items())


def test_known_costs_are_found() -> None:
    given = rows(60)
    found = fit_costs(given, [time_of(row) for row in given])
    for name, cost in zip(found.names, found.costs, strict=True):
        assert cost == pytest.approx(TRUE[name], rel=0.05), name
    log_time, sd = found.predict(given[0])
    assert math.exp(log_time) == pytest.approx(time_of(given[0]), rel=0.02)
    assert sd < 0.05


def test_a_time_that_is_far_off_changes_little() -> None:
    given = rows(60)
    times = [time_of(row) for row in given]
    times[7] *= 5
    found = fit_costs(given, times)
    assert math.exp(found.predict(given[8])[0]) == pytest.approx(time_of(given[8]), rel=0.05)


def test_features_that_times_do_not_tell_apart_share_the_cost() -> None:
    given = [{"macs linear": value, "macs attention": value} for value in (1e6, 1e7, 1e8)]
    found = fit_costs(given, [1e-8 * row["macs linear"] for row in given])
    assert found.costs[0] == pytest.approx(found.costs[1], rel=0.01)
    assert found.costs.sum() == pytest.approx(1e-8, rel=0.02)


def test_what_no_network_had_costs_what_it_does_anywhere_and_widens() -> None:
    given = rows(60)
    found = fit_costs(given, [time_of(row) for row in given])
    log_time, sd = found.predict({"moved softmax": 1e7})
    assert math.exp(log_time) == pytest.approx(1e7 * prior_cost("moved softmax"))
    assert sd == pytest.approx(1.0)
