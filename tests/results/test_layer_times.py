"""Sums, shares and rates of layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.results.document import from_json, to_json
from edgevit.results.layer_times import KindTime, LayerTime, LayerTimes, Peak, Roofs

PRODUCT = LayerTime("fc1", "FULLY_CONNECTED", "linear", 4.0, 2_000_000, 1_000_000, "int8")
FOUND = LayerTimes(
    device="raspberry-pi-5",
    unit="cpu",
    source="predicted",
    p50_ms=12.5,
    fastest_ms=None,
    basis="fitted on 52 published measurements of this unit",
    layers=(
        LayerTime("norm", "ADD", "normalization", 1.0, 0, 8000, "float32"),
        PRODUCT,
        LayerTime("scores", "BATCH_MATMUL", "matmul", 3.5, 1_000_000, None, "float32"),
        LayerTime("fc2", "FULLY_CONNECTED", "linear", 1.5, None, None, "int8"),
    ),
    roofs=Roofs("4x Cortex-A76", (Peak("float32", 77e9),), 17e9),
)


def test_families_add_up_to_the_whole() -> None:
    assert FOUND.sum_ms == 10
    assert FOUND.share_of_p50 == 0.8
    assert FOUND.kinds == (
        KindTime("linear", 2, 5.5, 0.55),
        KindTime("matmul", 1, 3.5, 0.35),
        KindTime("normalization", 1, 1.0, 0.1),
    )


def test_the_slowest_come_first_and_equal_ones_in_their_order() -> None:
    assert [layer.name for layer in FOUND.slowest_first] == ["fc1", "scores", "fc2", "norm"]
    equal = replace(FOUND, layers=tuple(replace(PRODUCT, name=name) for name in "bac"))
    assert [layer.name for layer in equal.slowest_first] == ["b", "a", "c"]


def test_rates_count_two_operations_for_each_mac() -> None:
    assert PRODUCT.operations_per_second == pytest.approx(1e9)  # 4e6 in 4 ms
    assert PRODUCT.intensity == 4


@pytest.mark.parametrize(
    "layer", [replace(PRODUCT, macs=0), replace(PRODUCT, macs=None), replace(PRODUCT, ms=0.0, moved_bytes=None)]
)
def test_a_layer_without_operations_time_or_bytes_has_no_rate(layer: LayerTime) -> None:
    assert (layer.operations_per_second, layer.intensity) == (None, None)


def test_layers_too_short_for_the_clock_have_no_shares() -> None:
    short = replace(FOUND, layers=(replace(PRODUCT, ms=0.0),))
    assert short.kinds == (KindTime("linear", 1, 0.0, 0.0),)


def test_it_is_read_back_as_it_was_written() -> None:
    assert from_json(LayerTimes, to_json(FOUND)) == FOUND
