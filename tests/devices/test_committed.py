from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.devices.committed import NAMED_UNITS, Worth, figures, worse, worth
from edgevit.devices.validation import AnchoredScore, Score

ALL = Score("all", "all", 100, 0.12, 0.2, 0.4, 0.6, 0.8, 1.5, 0.9)
NAMED = Score(*NAMED_UNITS[0], 40, 0.05, 0.1, 0.8, 0.9, 0.8, 1.2, 0.95)
OTHER = replace(NAMED, device="Another")
FOUND = worth(
    {"graph": (ALL, NAMED, OTHER), "graph on device": (ALL,), "device": (ALL, NAMED)},
    (AnchoredScore(3, 50, 0.15, 0.6, 0.8, 1.4), AnchoredScore(5, 50, 0.13, 0.6, 0.8, 1.4)),
)


def test_the_figures_are_those_that_are_required() -> None:
    names = [figure.name for figure in figures(FOUND)]
    assert len(names) == 7
    assert names[2] == "Raspberry Pi 4B cpu, graph left out: median error"
    assert names[-1] == "device left out, 3 anchors: median error"
    assert not any("Another" in name for name in names)


def test_nothing_is_worse_than_itself() -> None:
    assert worse(figures(FOUND), figures(FOUND)) == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(FOUND, graph=(replace(ALL, median_error=0.133), NAMED)), "all all, graph left out: median error"),
        (replace(FOUND, graph=(ALL, replace(NAMED, within_20=0.8))), "within 20 %"),
        (replace(FOUND, device=replace(ALL, tau=0.8)), "Kendall's tau"),
        (replace(FOUND, anchored=()), "3 anchors: median error: gone"),
        (replace(FOUND, graph=(ALL,)), "Raspberry Pi 4B cpu, graph left out: median error: gone"),
    ],
)
def test_what_is_worse_by_more_than_a_tenth_is_named(changed: Worth, name: str) -> None:
    assert any(name in fault for fault in worse(figures(FOUND), figures(changed)))


def test_a_tenth_worse_passes() -> None:
    changed = replace(FOUND, graph=(replace(ALL, median_error=0.1319, within_20=0.541), NAMED))
    assert worse(figures(FOUND), figures(changed)) == []
