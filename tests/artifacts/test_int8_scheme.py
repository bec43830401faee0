"""What is read of an int8 artifact to simulate it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.artifacts import int8_scheme
from edgevit.artifacts.int8_scheme import ReadInt8Job, read_int8_scheme
from edgevit.quantization.arithmetic import Int8Arithmetic
from edgevit.quantization.simulate import LayerNumerics
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.spec.recipe import OpKind, Recipe
from edgevit.spec.schemes import Numerics


def op(name: str, kind: OpKind, inputs: tuple[str, ...], macs: int, numerics: Numerics) -> Op:
    return Op(name, kind, kind, inputs, (f"{name}-out",), macs, numerics)


@pytest.mark.parametrize("adds", ["float", "int8_static"])
def test_layers_in_order_and_whether_sums_are_int8(adds: Numerics, monkeypatch: pytest.MonkeyPatch) -> None:
    weight, bias, image = (
        Tensor(name, shape, "int8", 1, name != "x") for name, shape in (("w", (4, 3)), ("b", (4,)), ("x", (1, 3)))
    )
    ops = (
        op("one", "linear", ("x", "w", "b"), 12, "int8_static"),
        op("add", "elementwise", ("x", "one-out"), 0, adds),
        op("two", "conv", ("add-out", "w"), 24, "float"),
    )
    outputs = tuple(Tensor(f"{each.name}-out", (1, 4), "float32", 16, False) for each in ops)
    graph = Graph("xml", ops, (weight, bias, image, *outputs), ("x",), ("two-out",))
    backend: Any = SimpleNamespace(read_graph=lambda path: graph, arithmetic=Int8Arithmetic(linear_ranges="row"))
    monkeypatch.setattr(int8_scheme, "get_backend", lambda name: backend)
    recipe = Recipe("static_wi8_ai8", ranges="mse", preparations=("class_token_only",), reduce_range=True)
    found = read_int8_scheme(ReadInt8Job("openvino", Path("model.xml"), recipe))
    assert found.layers == (LayerNumerics(12, 12, "int8_static"), LayerNumerics(24, 12, "float"))
    assert found.int8_adds == (adds == "int8_static")
    assert (found.arithmetic, found.ranges, found.reduce_range) == (backend.arithmetic, "mse", True)
    assert found.preparations == ("class_token_only",)
