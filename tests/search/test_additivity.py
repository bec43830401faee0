"""Whether mixes cost what their parts cost."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.search.additivity import check_additivity

SUMS = np.linspace(0.01, 0.4, 24)


def test_sums_with_little_error_add_up() -> None:
    found = check_additivity(SUMS, SUMS * np.exp(0.1 * np.random.default_rng(0).normal(size=24)))
    assert found.holds
    assert found.spearman is not None
    assert found.spearman >= 0.9
    assert found.median_factor == pytest.approx(1.0, abs=0.1)
    assert not found.note


@pytest.mark.parametrize("measured", [SUMS * 1.4, SUMS / 1.4, SUMS[::-1], np.full(24, 0.1)])
def test_another_order_or_factor_does_not(measured: np.ndarray) -> None:
    found = check_additivity(SUMS, measured)
    assert not found.holds
    assert "every one is measured" in found.note


def test_few_mixes_tell_nothing() -> None:
    found = check_additivity(SUMS[:10], SUMS[:10])
    assert (found.holds, found.spearman) == (False, None)
    assert "20 are needed" in found.note
