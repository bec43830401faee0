"""Peak memory of small graphs whose answer is known by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.devices.device import load_device
from edgevit.devices.peak_memory import (
    estimate_memory,
    peak_activation_bytes,
    peak_tensor_bytes,
    process_memory,
    weights_bytes,
)
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.results.measurement import Interval
from edgevit.spec.recipe import OpKind
from tests.devices.graphs import layer, tensor
from tests.factories import make_measurement, make_prediction


def graph_of(
    sizes: dict[str, int], ops: list[tuple[OpKind, str, str]], inputs: str, outputs: str, weights: str = ""
) -> Graph:
    """A graph of tensors named by one letter each; an op is (kind, inputs, outputs)."""
    return Graph(
        format="tflite",
        ops=tuple(
            Op(f"op{i}", kind.upper(), kind, tuple(read), tuple(made), 0) for i, (kind, read, made) in enumerate(ops)
        ),
        tensors=tuple(Tensor(name, (size,), "uint8", size, name in weights) for name, size in sizes.items()),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def test_chain_frees_what_is_no_longer_read() -> None:
    graph = graph_of(
        {"a": 100, "b": 50, "c": 30, "d": 10},
        [("activation", "a", "b"), ("activation", "b", "c"), ("activation", "c", "d")],
        "a",
        "d",
    )
    assert peak_activation_bytes(graph) == 150


def test_residual_keeps_the_first_tensor_alive() -> None:
    graph = graph_of(
        {"a": 100, "b": 200, "c": 100, "d": 100, "w": 1000},
        [("linear", "aw", "b"), ("linear", "b", "c"), ("elementwise", "ac", "d")],
        "a",
        "d",
        weights="w",
    )
    assert peak_activation_bytes(graph) == 100 + 200 + 100
    assert weights_bytes(graph) == 1000
    assert peak_tensor_bytes(graph) == 1400


@pytest.mark.parametrize(("kind", "peak"), [("reshape", 100), ("layout", 200)])
def test_reshape_shares_memory_and_layout_does_not(kind: OpKind, peak: int) -> None:
    graph = graph_of({"a": 100, "b": 100, "c": 100}, [(kind, "a", "b"), ("reshape", "b", "c")], "a", "c")
    assert peak_activation_bytes(graph) == peak


def test_an_output_made_early_lives_to_the_end() -> None:
    ops: list[tuple[OpKind, str, str]] = [("activation", "a", "b"), ("activation", "a", "c"), ("activation", "c", "d")]
    sizes = {"a": 10, "b": 70, "c": 10, "d": 10}
    assert peak_activation_bytes(graph_of(sizes, ops, "a", "bd")) == 90
    assert peak_activation_bytes(graph_of(sizes, ops, "a", "d")) == 80


def test_weights_read_twice_count_once_and_unread_ones_not() -> None:
    ops: list[tuple[OpKind, str, str]] = [("linear", "aw", "b"), ("linear", "bw", "c")]
    graph = graph_of({"a": 1, "b": 1, "c": 1, "w": 9, "v": 50}, ops, "a", "c", weights="wv")
    assert weights_bytes(graph) == 9


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_a_chain_needs_its_widest_pair(sizes: list[int]) -> None:
    letters = "abcdefghijkl"[: len(sizes)]
    ops: list[tuple[OpKind, str, str]] = [("activation", a, b) for a, b in pairwise(letters)]
    graph = graph_of(dict(zip(letters, sizes, strict=True)), ops, letters[0], letters[-1])
    assert peak_activation_bytes(graph) == max(a + b for a, b in pairwise(sizes))


def test_memory_reaches_from_the_graph_alone_to_copies_and_scratch() -> None:
    """1000 float weights and 2000 floats of activations; weights are packed once more, and all of it doubled."""
    device = load_device("raspberry-pi-zero-2-w")
    found = estimate_memory(layer(), device, device.units[0])
    assert (found.weights_bytes, found.activation_bytes) == (4000, 8000)
    assert found.total_bytes == Interval(12_000, 2.0 * (4000 + 4000 + 8000))
    assert (found.fits_memory, found.fits_on_chip) == ("yes", "unknown")
    narrow = layer(numerics="int8_static")
    assert estimate_memory(narrow, device, device.units[0]).total_bytes.high == pytest.approx(3.7 * (2000 + 2000))


def test_weights_stored_as_float16_are_expanded_and_packed() -> None:
    device = load_device("raspberry-pi-5")
    graph = layer()
    half = replace(graph, tensors=(graph.tensors[0], tensor("w", (1000,), "float16", True), graph.tensors[2]))
    assert estimate_memory(half, device, device.units[0]).total_bytes.high == 2.0 * (2000 + 8000 + 8000)


def test_what_fits() -> None:
    pi, coral, nano = (load_device(name) for name in ("raspberry-pi-zero-2-w", "coral-edge-tpu", "jetson-nano"))
    fits = [estimate_memory(layer(weights=n), pi, pi.units[0]).fits_memory for n in (10**6, 60 * 10**6, 130 * 10**6)]
    assert fits == ["yes", "unsure", "no"]
    chips = [
        estimate_memory(layer(numerics="int8_static", weights=n), coral, coral.units[0]) for n in (7 * 10**6, 9 * 10**6)
    ]
    assert [chip.fits_on_chip for chip in chips] == ["yes", "no"]
    assert chips[0].fits_memory == "unknown"  # the host's
    module = estimate_memory(layer(), nano, nano.units[0])
    assert module.runtime_bytes == 690e6 < module.total_bytes.low


def test_a_process_takes_its_tensors_and_its_runtime() -> None:
    """On the host 120 MB, 80 MB of it before the artifact was loaded."""
    here, there = make_measurement(peak_rss_bytes=120_000_000), make_prediction(1, 2, peak_tensor_bytes=3_000_000)
    assert process_memory(there, here) == Interval(pytest.approx(80e6 / 1.5 + 3e6), 180e6)


def test_the_upper_end_is_above_the_lower_one_for_large_tensors() -> None:
    """Weights that are mapped from the file count only as far as they are read."""
    here, there = make_measurement(peak_rss_bytes=120_000_000), make_prediction(1, 2, peak_tensor_bytes=500_000_000)
    found = process_memory(there, here)
    assert found is not None
    assert found.low < found.high == 1.5 * 580e6


def test_without_a_measurement_or_a_processor_that_runs_it_nothing_is_said() -> None:
    here = make_measurement()
    assert process_memory(make_prediction(1, 2), None) is None
    assert process_memory(make_prediction(1, 2, unit="npu"), here) is None
    assert process_memory(make_prediction(1, 2, unsupported_ops=("TopK (2 x)",)), here) is None
