from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgevit.devices.anchors import AnchorModel, Points, Prior, Update, condition, joined, points
from edgevit.devices.features import FAMILY_OF, FEATURES

SCALE_ALONE = Prior(scale=1.0, families=(0.0, 0.0), like=0.0, distance=1.0, noise=0.5)
NETWORKS = Points(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0], [50.0]]))


def test_a_scale_is_shared_by_all_networks() -> None:
    found = condition(SCALE_ALONE, NETWORKS.take([1]), NETWORKS.take([0]), np.array([0.6]))
    assert found.shift == pytest.approx(0.6 / 1.5)
    assert found.sd**2 == pytest.approx(1 - 1 / 1.5 + 0.5)
    many = condition(SCALE_ALONE, NETWORKS.take([1]), NETWORKS.take([0] * 10), np.full(10, 0.6))
    assert many.shift == pytest.approx(0.6 * 10 / 10.5)
    assert many.sd < found.sd


def test_the_cost_of_a_family_is_shared_by_networks_that_it_takes_time_of() -> None:
    prior = replace(SCALE_ALONE, scale=0.0, families=(1.0, 1.0))
    assert condition(prior, NETWORKS.take([0]), NETWORKS.take([0]), np.array([0.6])).shift == pytest.approx(0.4)
    assert condition(prior, NETWORKS.take([1]), NETWORKS.take([0]), np.array([0.6])).shift == 0


def test_only_like_graphs_share_what_is_wrong_with_their_kernels() -> None:
    prior = replace(SCALE_ALONE, scale=0.0, like=1.0)
    assert condition(prior, NETWORKS.take([0]), NETWORKS.take([0]), np.array([0.6])).shift == pytest.approx(0.4)
    assert condition(prior, NETWORKS.take([1]), NETWORKS.take([0]), np.array([0.6])).shift == pytest.approx(0)


def test_shares_of_families_add_up_to_one() -> None:
    x = np.ones((3, len(FEATURES)))
    found = points(x, 2 * x)
    assert found.shares.shape == (3, max(FAMILY_OF) + 1)
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(3))
    again = joined([found.take([0]), found.take([1, 2])])
    assert (again.shares == found.shares).all() and (again.places == found.places).all()


def test_widths_are_those_of_the_next_smaller_number_of_anchors() -> None:
    model = AnchorModel(SCALE_ALONE, {3: 1.2, 10: 1.4})
    update = Update(0.0, 0.5)
    assert model.half_width(update, 2) == math.inf
    assert [model.half_width(update, count) for count in (3, 5, 10, 20)] == pytest.approx([0.6, 0.6, 0.7, 0.7])
    assert AnchorModel.from_document(model.document()) == model
