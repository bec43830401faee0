"""Scheme names."""

from __future__ import annotations

import pytest

from edgevit.errors import UsageError
from edgevit.schemes import SCHEMES, parse_schemes


def test_the_schemes_of_the_contract_are_there() -> None:
    assert list(SCHEMES) == ["fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8"]
    assert [name for name, scheme in SCHEMES.items() if scheme.is_int8] == ["dynamic_wi8_afp32", "static_wi8_ai8"]
    assert [name for name, scheme in SCHEMES.items() if scheme.calibrated] == ["static_wi8_ai8"]


@pytest.mark.parametrize("names", [("auto",), ("fp32",), ("static_wi8_ai8", "fp32")])
def test_good_names_come_back_as_they_are(names: tuple[str, ...]) -> None:
    assert parse_schemes(names) == names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "(none)"),
        (("fp32", "fp32"), "fp32, fp32"),
        (("auto", "fp32"), '"auto" alone'),
        (("fp32", "FP16"), "unknown scheme: 'FP16'"),
    ],
)
def test_bad_names_are_refused_with_what_is_known(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_schemes(names)
    assert message in caught.value.message
    assert caught.value.hint and "fp16" in caught.value.hint
