"""Times by op family."""

from __future__ import annotations

import pytest

from edgevit.results.document import from_json, to_json
from edgevit.results.op_times import FamilyTime, OpTime, OpTimes

FOUND = OpTimes(
    backend="litert",
    profiler="LiteRT's profiler",
    threads=1,
    precision="f32",
    p50_ms=12.0,
    fastest_ms=10.5,
    ops=(OpTime("a", "linear", 3, 4.0), OpTime("b", "matmul", 2, 3.5), OpTime("c", "linear", 1, 2.5)),
)


def test_families_add_up_to_the_whole() -> None:
    assert FOUND.sum_ms == 10
    assert FOUND.families == (FamilyTime("linear", 4, 6.5, 0.65), FamilyTime("matmul", 2, 3.5, 0.35))
    assert sum(family.share for family in FOUND.families) == pytest.approx(1)


def test_it_is_read_back_as_it_was_written() -> None:
    assert from_json(OpTimes, to_json(FOUND)) == FOUND
