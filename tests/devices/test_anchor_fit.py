from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.devices.anchor_fit import LeftOutErrors, _Session, anchored, fit_anchors, fit_prior, try_anchors
from edgevit.devices.anchors import Points, points
from edgevit.devices.validation import RowPrediction
from tests.devices.rows import made_up


def left_out(factor: float = 3.0, models: int = 8) -> LeftOutErrors:
    """Returns predictions that are all too fast by one factor."""
    rows, graphs = made_up(models)
    x = np.array([graphs[row.graph] for row in rows])
    predicted = [RowPrediction(row.id, row.latency_ms / factor, 0, 1, "") for row in rows]
    return LeftOutErrors(rows, predicted, points(x, x / x.max()), [row.model for row in rows])


def test_sessions_and_errors() -> None:
    found = left_out()
    assert found.errors == pytest.approx([math.log(3)] * 16)
    assert [len(session) for session in found.sessions()] == [8, 8]
    assert found.sessions(lambda row: row.configuration.device == "fast") == [list(range(0, 16, 2))]


def test_a_scale_that_sessions_share_is_found() -> None:
    random = np.random.default_rng(0)
    place = random.normal(size=(400, 3)) * 10
    networks = Points(np.full((400, 2), 0.5), place)
    scale = np.repeat(random.normal(size=40) * 0.8, 10)
    sessions = [list(range(at, at + 10)) for at in range(0, 400, 10)]
    prior = fit_prior(scale + random.normal(size=400) * 0.1, networks, sessions)
    assert prior.scale + sum(prior.families) / 4 == pytest.approx(scale.var(), rel=0.5)
    assert prior.noise + prior.like == pytest.approx(0.01, rel=0.5)


def test_the_gradient_is_that_of_the_loss() -> None:
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.ones(3), size=6)
    session = _Session(random.normal(size=6), Points(shares, random.normal(size=(6, 2))))
    z = random.normal(size=7) * 0.3 - 1
    _, gradient = session.loss(np.exp(z))
    for at in range(7):
        step = np.zeros(7)
        step[at] = 1e-5
        rise = session.loss(np.exp(z + step))[0] - session.loss(np.exp(z - step))[0]
        assert gradient[at] == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-6)


def test_anchors_are_other_graphs_of_the_session() -> None:
    found = left_out()
    errors = found.errors
    errors[found.graphs.index("net0")] = 50.0
    prior = fit_anchors(found).prior
    of_net0 = [made for made in anchored(found, errors, prior, found.sessions(), 5) if made.at == 0]
    assert len(of_net0) == 1
    assert of_net0[0].log_ms - math.log(found.predicted[0].p50) == pytest.approx(math.log(3), rel=0.2)


def test_a_session_with_few_graphs_has_no_anchors() -> None:
    found = left_out(models=5)
    assert set(fit_anchors(found).factors) == {1, 2}


def test_one_scale_is_found_from_devices_that_the_row_is_not_of() -> None:
    tried = try_anchors(left_out(models=16))
    assert {1, 3, 10} <= set(tried)
    assert all(made.low < made.p50 < made.high for made in tried[3])
