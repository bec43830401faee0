"""Values read as people write them."""

from __future__ import annotations

import pytest

from edgevit.gate.values import change_text, value_text, value_texts
from edgevit.gate.verdict import Unit


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("ms", 12.34, "12.3 ms"), ("bytes", 8e6, "8.0 MB"), ("points", 1.0, "1.0 pt"), ("share", 0.984, "98.4 %"),
        ("count", 1.25e9, "1.25 G"), ("mJ", 5.0, "5 mJ"), ("dB", 31.25, "31.25 dB"), ("", 0.0123, "0.0123"),
    ],
)  # fmt: skip
def test_a_value_has_its_unit(unit: Unit, value: float, text: str) -> None:
    assert value_text(unit, value) == text


def test_values_that_differ_never_read_alike() -> None:
    assert value_texts("bytes", 8e6, 8e6 + 1) == ("8000000 B", "8000001 B")
    assert value_texts("share", 0.98, 0.98) == ("98.0 %", "98.0 %")


@pytest.mark.parametrize(
    ("unit", "amount", "relative", "text"),
    [
        ("ms", 0.05, True, "+5 %"),
        ("ms", -0.5, False, "-0.500 ms"),
        ("share", -0.01, False, "-1.0 pt"),
        ("bytes", 0, False, "+0 B"),
    ],
)
def test_a_change_has_its_sign(unit: Unit, amount: float, relative: bool, text: str) -> None:
    assert change_text(unit, amount, relative=relative) == text
