"""A wrong label cannot be produced: an artifact that does not do what its scheme says is refused."""

from __future__ import annotations

import pytest

from edgevit.artifacts.make import LEAST_SHARE, LEAST_SHARE_MIXED, check_label, check_share
from edgevit.errors import CandidateFailed
from edgevit.results.graph import Graph, Op, Tensor
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


def weighted(*layers: tuple[Numerics, int, int]) -> Graph:
    """A graph of linear layers: numerics, MACs and number of weights of each."""
    tensors = tuple(Tensor(f"w{i}", (size,), "float32", 4 * size, True) for i, (_, _, size) in enumerate(layers))
    ops = tuple(
        Op(f"op{i}", "Gemm", "linear", (f"w{i}",), (), macs, numerics) for i, (numerics, macs, _) in enumerate(layers)
    )
    return Graph("onnx", ops, tensors, (), ())


def test_dynamic_int8_of_the_classifier_alone_is_refused() -> None:
    """As a convolutional network comes out of a quantizer that has dynamic int8 for linear layers only."""
    with pytest.raises(CandidateFailed, match=r"only 0\.06 % of the MACs .* 30 % are the least"):
        check_share("dynamic_wi8_afp32", weighted(("float", 99_940, 10), ("int8_dynamic", 60, 1000)))


@pytest.mark.parametrize("scheme", ["static_wi8_ai8", "static_wi8_ai16", "dynamic_wi8_afp32", "mixed_wi8_ai8"])
def test_the_least_share_of_the_macs_passes_and_less_does_not(scheme: str) -> None:
    numerics = SCHEMES[scheme].numerics
    least = round(1000 * (LEAST_SHARE_MIXED if scheme == "mixed_wi8_ai8" else LEAST_SHARE))
    check_share(scheme, weighted((numerics, least, 1), ("float", 1000 - least, 1)))
    with pytest.raises(CandidateFailed, match="of the MACs"):
        check_share(scheme, weighted((numerics, least - 1, 1), ("float", 1001 - least, 1)))


@pytest.mark.parametrize("scheme", ["weight_only_wi8_afp32", "weight_only_wi4_afp32"])
def test_what_makes_a_file_small_is_judged_by_weights(scheme: str) -> None:
    check_share(scheme, weighted(("int8_weights", 1, 300), ("float", 999, 700)))
    with pytest.raises(CandidateFailed, match="of the weights"):
        check_share(scheme, weighted(("int8_weights", 999, 299), ("float", 1, 701)))


@pytest.mark.parametrize("scheme", ["fp32", "fp16", "bf16"])
def test_float_schemes_have_no_least_share(scheme: str) -> None:
    check_share(scheme, weighted(("float", 5, 5)))


def test_layers_left_in_float_are_named_with_their_share_of_the_weights() -> None:
    graph = weighted(("int8_static", 900, 100), ("float", 50, 100), ("float", 50, 200))
    assert graph.float_layers == ("op2", "op1")
    assert graph.weight_share("float") == pytest.approx(0.75)
    assert graph.layer_share("int8_static") == pytest.approx(0.9)
