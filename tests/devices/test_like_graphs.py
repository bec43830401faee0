from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.features import FEATURES
from edgevit.devices.like_graphs import LEVELS, alike, fit_like_graphs, places

X = np.zeros((2, len(FEATURES)))
X[0, FEATURES.index("macs_conv_1x1")] = 1e9
X[1, FEATURES.index("macs_linear")] = 1e6
X[:, FEATURES.index("kernels_dense")] = 10
NOISE = 0.02


def test_a_graph_is_like_itself_alone() -> None:
    assert alike(places(X), places(X)) == pytest.approx(np.eye(2), abs=1e-3)


@pytest.mark.parametrize("count", [1, 60])
def test_errors_of_the_same_graph_are_taken_over_but_for_shrinkage(count: int) -> None:
    errors = np.full(count, 0.5)
    found = fit_like_graphs(np.repeat(X[:1], count, axis=0), errors, {level: ["a"] * count for level in LEVELS})
    shared = sum(LEVELS.values())
    corrected = found.correction(X[0], dict.fromkeys(LEVELS, "a"))
    assert corrected == pytest.approx(0.5 * shared / (shared + NOISE / count))
    assert found.correction(X[1], dict.fromkeys(LEVELS, "a")) == pytest.approx(0, abs=1e-3)
    assert found.correction(X[0], dict.fromkeys(LEVELS, "b")) == 0


def test_a_sister_device_counts_as_far_as_they_share_levels() -> None:
    groups = {level: ["a", "b"] if level == "kernels device" else ["a", "a"] for level in LEVELS}
    found = fit_like_graphs(X[[0, 0]], np.array([0.5, 0.0]), groups)
    own = found.correction(X[0], {level: names[0] for level, names in groups.items()})
    sister = found.correction(X[0], {level: names[1] for level, names in groups.items()})
    other = found.correction(X[0], {**dict.fromkeys(LEVELS, "a"), "kernels device": "c"})
    assert own > other > sister > 0


def test_many_rows_are_corrected_as_one_by_one() -> None:
    groups = {level: ["a", "b"] for level in LEVELS}
    found = fit_like_graphs(X, np.array([0.5, -0.2]), groups)
    each = [found.correction(x, dict.fromkeys(LEVELS, group)) for x, group in zip(X, "ab", strict=True)]
    assert found.corrections(X, groups) == pytest.approx(each)
