"""Scheme names."""

from __future__ import annotations

import pytest

from edgevit.errors import UsageError
from edgevit.spec.schemes import SCHEMES, Scheme, parse_schemes


def test_the_schemes_of_the_contract_are_there() -> None:
    numerics = {name: scheme.numerics for name, scheme in SCHEMES.items()}
    assert numerics == {
        "fp32": "float",
        "fp16": "float",
        "bf16": "float",
        "dynamic_wi8_afp32": "int8_dynamic",
        "static_wi8_ai8": "int8_static",
        "mixed_wi8_ai8": "int8_static",
        "static_wi8_ai16": "int16_static",
        "weight_only_wi8_afp32": "int8_weights",
        "weight_only_wi4_afp32": "int8_weights",
    }
    calibrated = [name for name, scheme in SCHEMES.items() if scheme.calibrated]
    assert calibrated == ["static_wi8_ai8", "mixed_wi8_ai8", "static_wi8_ai16"]


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_only_what_multiplies_integers_may_choose_its_floats(scheme: Scheme) -> None:
    assert (scheme.precision == "fastest") == scheme.is_int8
    assert not (scheme.is_int8 and scheme.is_float)


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
