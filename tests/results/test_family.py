"""The names of families."""

from __future__ import annotations

from typing import get_args

from edgevit.results.family import FAMILY_TITLES, Family


def test_every_family_has_a_title() -> None:
    assert set(FAMILY_TITLES) == set(get_args(Family))
