"""Times by kernel and by op family."""

from __future__ import annotations

import pytest

from edgevit.results.document import from_json, to_json
from edgevit.results.layer_times import KindTime, LayerTime
from edgevit.results.op_times import OpTime, OpTimes


def layer(native: str, kind: str, ms: float) -> LayerTime:
    return LayerTime(f"{native} of {ms}", native, kind, ms, None, None, "")


FOUND = OpTimes(
    backend="litert",
    profiler="LiteRT's profiler",
    threads=1,
    precision="f32",
    p50_ms=12.0,
    fastest_ms=10.5,
    layers=(layer("c", "linear", 2.5), layer("a", "linear", 1.5), layer("b", "matmul", 3.5), layer("a", "linear", 2.5)),
)


def test_ops_of_one_kernel_are_one_and_the_slowest_kernel_comes_first() -> None:
    assert FOUND.ops == (OpTime("a", "linear", 2, 4.0), OpTime("b", "matmul", 1, 3.5), OpTime("c", "linear", 1, 2.5))


def test_families_add_up_to_the_whole() -> None:
    assert FOUND.sum_ms == 10
    assert FOUND.families == (KindTime("linear", 3, 6.5, 0.65), KindTime("matmul", 1, 3.5, 0.35))
    assert sum(family.share for family in FOUND.families) == pytest.approx(1)


def test_it_is_read_back_as_it_was_written() -> None:
    assert from_json(OpTimes, to_json(FOUND)) == FOUND
