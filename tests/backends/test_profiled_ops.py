"""Adding up what profilers measured."""

from __future__ import annotations

from typing import get_args

import pytest

from edgevit.backends.profiled_ops import MOST_WORK, ProfiledOp, add_up, leading_kind
from edgevit.results.op_times import OpTime
from edgevit.spec.recipe import OpKind


def test_each_op_has_its_shortest_time_and_ops_of_one_kernel_are_summed() -> None:
    def inference(first_us: float, add_us: float, last_us: float) -> list[ProfiledOp]:
        return [
            ProfiledOp("Gemm", "linear", first_us), ProfiledOp("Add", "elementwise", add_us),
            ProfiledOp("Gemm", "linear", last_us),
        ]  # fmt: skip

    found = add_up([inference(10, 4, 20), inference(900, 5, 21), inference(12, 6, 22)])
    assert found == (OpTime("Gemm", "linear", 2, 0.030), OpTime("Add", "elementwise", 1, 0.004))


@pytest.mark.parametrize("inferences", [[], [[ProfiledOp("Add", "elementwise", 1)], []]], ids=["none", "different"])
def test_inferences_that_cannot_be_compared_are_an_error(inferences: list[list[ProfiledOp]]) -> None:
    with pytest.raises(ValueError, match="differ in their ops"):
        add_up(inferences)


def test_fused_ops_count_to_the_family_of_most_work() -> None:
    assert leading_kind(["elementwise", "softmax", "matmul", "quantize"]) == "matmul"
    assert leading_kind(["quantize", "activation"]) == "activation"
    assert leading_kind([]) == "other"
    assert sorted(MOST_WORK) == sorted(get_args(OpKind))
