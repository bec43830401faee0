from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.features import FEATURES
from edgevit.devices.like_graphs import LEVELS, alike, fit_like_graphs, places

X = np.zeros((2, len(FEATURES)))
X[0, FEATURES.index("macs_conv_1x1")] = 1e9
X[1, FEATURES.index("macs_linear")] = 1e6
X[:, FEATURES.index("kernels_dense")] = 10
GROUPS = {level: ["a"] for level in LEVELS}


def test_a_graph_is_like_itself_alone() -> None:
    assert alike(places(X), places(X)) == pytest.approx(np.eye(2), abs=1e-6)


def test_errors_of_the_same_graph_are_taken_over_but_for_shrinkage() -> None:
    errors = np.full(60, 0.5)
    found = fit_like_graphs(np.repeat(X[:1], 60, axis=0), errors, {level: ["a"] * 60 for level in LEVELS})
    corrected = found.correction(X[0], dict.fromkeys(LEVELS, "a"))
    assert corrected == pytest.approx(0.5 * (1 - (3 / 63) ** 3))
    assert found.correction(X[1], dict.fromkeys(LEVELS, "a")) == pytest.approx(0, abs=1e-6)
    assert found.correction(X[0], dict.fromkeys(LEVELS, "b")) == 0


def test_one_error_counts_a_quarter() -> None:
    found = fit_like_graphs(X[:1], np.array([0.4]), GROUPS)
    first = 0.4 / 4
    second = (0.4 - first) / 4
    third = (0.4 - first - second) / 4
    assert found.correction(X[0], dict.fromkeys(LEVELS, "a")) == pytest.approx(first + second + third)
