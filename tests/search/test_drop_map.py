"""Drops rise with divergence, and follow what was evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.search.drop_map import Base, DropMap
from edgevit.search.factors import Corrected


def _at(nats: float) -> Corrected:
    return Corrected(nats, nats, nats)


def test_without_candidates_the_assumption_counts() -> None:
    assert DropMap([], [], 0.3).drop(_at(0.1)).value == pytest.approx(2.0)
    assert DropMap([], [], 0.3).drop(_at(6.0)).value == pytest.approx(120.0)
    assert DropMap([], [], 0.3).drop(_at(0.0)).value == 0.0


def test_it_follows_what_was_evaluated_and_never_falls() -> None:
    found = DropMap([0.02, 0.05, 0.1, 0.2], [0.2, 0.4, 0.3, 1.5], 0.3)
    drops = [found.drop(_at(nats)).value for nats in np.linspace(0, 0.5, 40)]
    assert drops == sorted(drops)
    assert found.drop(_at(0.1)).value < 1.0


def test_an_uncertain_divergence_widens_the_interval() -> None:
    found = DropMap([0.02, 0.1], [0.3, 2.0], 0.3)
    narrow, wide = found.drop(_at(0.05)), found.drop(Corrected(0.05, 0.01, 0.2))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_what_is_known_of_the_float_model_is_kept_and_the_rest_added() -> None:
    base = Base(0.05, 2.5)
    found = DropMap([], [], 0.3)
    assert found.drop(_at(0.1), base).value == pytest.approx(2.5 + 1.0)
    assert found.drop(_at(0.04), base).value == pytest.approx(2.5 - 0.2)
    whole, on_top = found.drop(_at(0.06)), found.drop(_at(0.06), base)
    assert on_top.high - on_top.low < whole.high - whole.low


def test_drops_that_follow_their_bases_narrow_the_interval() -> None:
    bases = [Base(0.04, drop) for drop in (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)]
    drops = [each.drop + 0.2 for each in bases]
    known, unknown = (DropMap([0.05] * 6, drops, 0.3, given) for given in (bases, None))
    point = _at(0.05)
    assert known.drop(point, bases[0]).value < 0 < 1 < unknown.drop(point).value
    assert known.drop(point, bases[0]).high - known.drop(point, bases[0]).low < 0.5 * (
        unknown.drop(point).high - unknown.drop(point).low
    )
