"""Single changes: which form of a graph is left out, and when layers are not looked at."""

from __future__ import annotations

from typing import Any, cast

import pytest

pytest.importorskip("torch")

from edgevit.backends import get_backend
from edgevit.search.single_changes import measure_precision, slower_form
from edgevit.search.space import Change
from tests.factories import make_candidate

GATHER, ARITHMETIC = (Change("evit:0.7", form) for form in ("gather", "arithmetic"))


@pytest.mark.parametrize(
    ("gather", "arithmetic", "slower"), [(0.7, 0.9, "arithmetic"), (0.9, 0.7, "gather"), (0.7, 0.72, "")]
)
def test_a_form_that_is_clearly_slower_is_left_out(gather: float, arithmetic: float, slower: str) -> None:
    speeds = {("onnxruntime", GATHER): gather, ("onnxruntime", ARITHMETIC): arithmetic}
    assert slower_form({**speeds, ("onnxruntime", Change("resolution:24")): 0.5}) == slower


def test_one_form_alone_is_slower_than_none() -> None:
    assert slower_form({("onnxruntime", GATHER): 0.7}) == ""
    assert slower_form({}) == ""


def test_layers_are_not_looked_at_where_int8_costs_nothing() -> None:
    nothing = cast(Any, None)
    found = measure_precision(nothing, nothing, get_backend("onnx"), make_candidate("onnxruntime/static_wi8_ai8"), 1e-4)
    assert found.layers == ()
    assert found.additivity is not None
    assert found.additivity.holds
    assert "1.0e-04 nats" in found.additivity.note
