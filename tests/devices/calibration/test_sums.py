"""Sums that are computed as part of the product before them."""

from __future__ import annotations

import pytest

from edgevit.devices.calibration.sums import fused_sums
from edgevit.results.graph import Graph, Op
from edgevit.spec.recipe import OpKind
from tests.devices.graphs import tensor

SHAPE = (1, 8, 10, 10)


def added(kind: OpKind, second_reader: bool = False, biased: bool = True) -> Graph:
    tensors = [tensor(name, SHAPE) for name in ("x", "y", "z", "s", "t")] + [tensor("b", (8,), constant=True)]
    ops = [
        Op("p", "Op", kind, ("x",), ("y",), 0),
        Op("bias", "Add", "elementwise", ("y", "b") if biased else ("y", "x"), ("z",), 0),
        Op("sum", "Add", "elementwise", ("x", "z"), ("s",), 0),
    ]
    if second_reader:
        ops.append(Op("other", "Relu", "activation", ("z",), ("t",), 0))
    return Graph("onnx", tuple(ops), tuple(tensors), ("x",), ("s",))


@pytest.mark.parametrize("kind", ["conv", "depthwise_conv", "linear", "matmul"])
def test_a_sum_of_what_a_product_and_its_bias_gave(kind: OpKind) -> None:
    assert fused_sums(added(kind)) == {"sum"}


def test_no_sum_where_something_else_reads_the_product() -> None:
    assert not fused_sums(added("conv", second_reader=True))


def test_no_sum_of_what_no_product_gave() -> None:
    assert not fused_sums(added("softmax"))


def test_a_sum_between_takes_the_product() -> None:
    assert fused_sums(added("conv", biased=False)) == {"bias"}
