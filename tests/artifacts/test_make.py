"""A wrong label cannot be produced: an artifact that does not do what its scheme says is refused."""

from __future__ import annotations

import pytest

from edgevit.artifacts.make import check_label
from edgevit.errors import CandidateFailed
from edgevit.results.graph import Graph, Op
from edgevit.spec.schemes import SCHEMES, Numerics


def graph(*layers: tuple[Numerics, int]) -> Graph:
    ops = tuple(Op(f"{i}", "Conv", "conv", (), (), macs, numerics) for i, (numerics, macs) in enumerate(layers))
    return Graph("onnx", ops, (), (), ())


RIGHT: dict[str, Graph] = {
    "fp32": graph(("float", 5)),
    "fp16": graph(("float", 5)),
    "bf16": graph(("float", 5)),
    "dynamic_wi8_afp32": graph(("int8_dynamic", 5), ("float", 9)),
    "static_wi8_ai8": graph(("int8_static", 5), ("float", 9), ("int8_dynamic", 1)),
    "mixed_wi8_ai8": graph(("int8_static", 5), ("float", 1)),
    "static_wi8_ai16": graph(("int16_static", 5), ("int8_dynamic", 1)),
    "weight_only_wi8_afp32": graph(("int8_weights", 5)),
    "weight_only_wi4_afp32": graph(("int8_weights", 5)),
}


def test_every_scheme_is_covered() -> None:
    assert set(RIGHT) == set(SCHEMES)


@pytest.mark.parametrize("scheme", RIGHT)
def test_the_right_numerics_pass(scheme: str) -> None:
    check_label(scheme, RIGHT[scheme])


@pytest.mark.parametrize(
    ("scheme", "other"),
    [(a, b) for a in RIGHT for b in RIGHT if SCHEMES[a].numerics != SCHEMES[b].numerics],
)
def test_the_numerics_of_another_scheme_are_refused(scheme: str, other: str) -> None:
    with pytest.raises(CandidateFailed, match=f"asked for {scheme}, but the layers of the file are"):
        check_label(scheme, RIGHT[other])


def test_dynamic_called_static_is_refused_and_the_other_way_round() -> None:
    with pytest.raises(CandidateFailed, match="static and dynamic int8"):
        check_label("static_wi8_ai8", graph(("int8_dynamic", 5), ("int8_static", 4)))
    with pytest.raises(CandidateFailed, match="static and dynamic int8"):
        check_label("dynamic_wi8_afp32", graph(("int8_dynamic", 5), ("int8_static", 4)))


def test_a_mixed_artifact_has_a_layer_in_float() -> None:
    with pytest.raises(CandidateFailed, match="no layer of the file is in float"):
        check_label("mixed_wi8_ai8", graph(("int8_static", 5)))
