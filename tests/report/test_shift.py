"""Loss under shift in words."""

from __future__ import annotations

from edgevit.report.shift import NUMERIC, TITLES, shift_lines, shift_rows
from tests.results.test_shift import paired, record


def test_a_row_for_each_shift_with_its_change() -> None:
    found = record(noise=(1, 2, 3), blur=(-0.5, -0.5, -0.5))
    rows = shift_rows(found)
    assert [row[0] for row in rows] == ["none", "noise", "blur"]
    assert rows[1] == ("noise", "82.0 %", "80.0 %", "-2.0 pt", "-4.0 to -1.0 pt", "-1.0, -2.0, -3.0 pt")
    assert rows[2][3] == "+0.5 pt"
    assert {len(row) for row in rows} == {len(TITLES)} and max(NUMERIC) < len(TITLES)


def test_the_largest_drop_and_the_strengths_are_said() -> None:
    lines = shift_lines(record(noise=(1, 2, 3)))
    assert lines[1] == "noise: quality 15, quality 15, quality 15"
    assert lines[-1] == "largest drop under shift: 2.0 pt (noise)"
    assert len(shift_lines(record())) == 1
    assert paired(1).samples == 200
