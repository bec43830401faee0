"""Adding up what profilers measured."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from edgevit.backends.profiled_ops import MOST_WORK, leading_kind, shortest
from edgevit.results.layer_times import LayerTime
from edgevit.spec.recipe import OpKind

ADD = LayerTime("add", "Add", "elementwise", 0.004, 0, 24, "float32")


def test_each_op_has_its_shortest_time_in_the_order_of_the_ops() -> None:
    def inference(first: float, add: float, last: float) -> list[LayerTime]:
        gemm = LayerTime("fc", "Gemm", "linear", first, 100, 80, "float32")
        return [gemm, replace(ADD, ms=add), replace(gemm, ms=last)]

    found = shortest([inference(10, 4, 20), inference(900, 5, 21), inference(12, 6, 19)])
    assert found == tuple(inference(10, 4, 19))


@pytest.mark.parametrize("inferences", [[], [[ADD], []], [[ADD], [replace(ADD, name="other")]]])
def test_inferences_that_cannot_be_compared_are_an_error(inferences: list[list[LayerTime]]) -> None:
    with pytest.raises(ValueError, match="differ in their ops"):
        shortest(inferences)


def test_fused_ops_count_to_the_family_of_most_work() -> None:
    assert leading_kind(["elementwise", "softmax", "matmul", "quantize"]) == "matmul"
    assert leading_kind(["quantize", "activation"]) == "activation"
    assert leading_kind([]) == "other"
    assert sorted(MOST_WORK) == sorted(get_args(OpKind))
