from __future__ import annotations

import pytest

from edgevit.cli.render_validation import print_validation
from edgevit.commands.devices import Validation
from edgevit.devices.validation import AnchoredScore, RowPrediction, Score, Unmapped


def test_small_units_are_counted_and_reasons_listed(capsys: pytest.CaptureFixture[str]) -> None:
    scores = tuple(
        Score(name, "cpu", n, 0.05, 0.1, 0.5, 0.9, 0.8, 1.25, tau, None)
        for name, n, tau in (("all", 32, 0.9), ("big", 30, None), ("small", 2, None))
    )
    unmapped = (Unmapped("b", "no definition of X"), Unmapped("c", "no definition of X"))
    print_validation(Validation("the row", scores, (RowPrediction("a", 1, 1, 1, ""),), unmapped), 20)
    shown = capsys.readouterr().out
    assert "big" in shown and "small" not in shown
    assert "1 units with fewer than 20 rows are not shown" in shown
    assert "1 of 3 rows were predicted" in shown
    assert "no definition of X (2 ×)" in shown
    assert "5.0%" in shown and "0.90" in shown and "–" in shown


def test_anchors_have_a_table_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    scores = (Score("all", "all", 32, 0.45, 0.5, 0.1, 0.2, 0.8, 2.5, 0.9, None),)
    anchored = (AnchoredScore(3, 20, 0.125, 0.7, 0.81, 1.35),)
    print_validation(Validation("the device of the row", scores, (), (), anchored), 20)
    line = next(line for line in capsys.readouterr().out.splitlines() if "12.5%" in line)
    assert line.split() == ["3", "20", "12.5%", "70%", "81%", "1.35"]
