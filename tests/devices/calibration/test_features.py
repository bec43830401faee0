"""Features of graphs, for a calibration."""

from __future__ import annotations

import pytest

from edgevit.devices.calibration.features import float_prefix, graph_features, kernel_features
from edgevit.devices.calibration.prior import prior_cost
from edgevit.devices.kernels import Kernel
from edgevit.results.graph import Graph, Op
from tests.devices.graphs import tensor


def conv(**changes: object) -> Kernel:
    fields = {"macs": 1000, "read": 10, "written": 20, "weights": 30, "window": 3, "channels": (8, 20), **changes}
    return Kernel("k", "conv", "float", **fields)  # type: ignore[arg-type]


def test_convolutions_by_window_stride_and_channels() -> None:
    assert kernel_features(conv(), "")["macs 3x3"] == 1000
    assert kernel_features(conv(stride=2), "")["macs kxk"] == 1000
    assert kernel_features(conv(channels=(3, 20)), "")["macs stem"] == pytest.approx(1000 * 32 / 20)
    pointwise = kernel_features(conv(window=1), "")
    assert pointwise["macs 1x1"] == 1000 and pointwise["macs 1x1 padded"] == pytest.approx(1000 * 32 / 20)


def test_kernels_in_int8_have_features_of_their_own() -> None:
    linear = Kernel("k", "linear", "int8_static", macs=1000, read=10, written=20, weights=30)
    assert all(name.startswith("int8 ") for name in kernel_features(linear, ""))
    floating = Kernel("k", "softmax", "float", read=10, written=10)
    assert kernel_features(floating, "fast ")["fast moved softmax"] == 20


def converting_graph(format: str) -> Graph:
    tensors = (
        tensor("x", (1, 100)), tensor("q", (1, 100), "int8"), tensor("w", (50, 100), "int8", True),
        tensor("y", (1, 50), "int8"), tensor("z", (1, 50)),
    )  # fmt: skip
    ops = (
        Op("a", "RELU", "activation", ("x",), ("x2",), 0),
        Op("b", "QUANTIZE", "quantize", ("x2",), ("q",), 0),
        Op("c", "FULLY_CONNECTED", "linear", ("q", "w"), ("y",), 5000, "int8_static"),
        Op("d", "DEQUANTIZE", "quantize", ("y",), ("z",), 0),
        Op("e", "LOGISTIC", "activation", ("z",), ("end",), 0),
    )
    return Graph(format, ops, (*tensors, tensor("x2", (1, 100)), tensor("end", (1, 50))), ("x",), ("end",))


def test_values_that_change_between_float_and_int8_are_counted() -> None:
    found = graph_features(converting_graph("tflite"))
    assert found["moved conversion"] == 100 + 50
    assert found["gates sigmoid"] == 50 and found["constant"] == 1
    assert found["int8 weights classifier"] == 5000
    assert all(prior_cost(name) > 0 for name in found)


def pooled(native: str, rounded: bool) -> dict[str, float]:
    end = Op("q", "QuantizeLinear" if rounded else "Relu", "quantize" if rounded else "activation", ("y",), ("z",), 0)
    tensors = (tensor("x", (1, 8, 10, 10)), tensor("y", (1, 8, 5, 5)), tensor("z", (1, 8, 5, 5)))
    return graph_features(Graph("onnx", (Op("p", native, "pooling", ("x",), ("y",), 0), end), tensors, ("x",), ("z",)))


def test_a_maximum_of_what_is_rounded_after_it_is_computed_in_int8() -> None:
    assert pooled("MaxPool", rounded=True)["int8 moved max pooling"] == 1000
    assert pooled("MaxPool", rounded=False)["moved max pooling"] == 1000
    assert pooled("AveragePool", rounded=True)["moved average pooling"] == 1000


def test_floats_in_a_quantized_openvino_file_may_be_computed_faster() -> None:
    assert float_prefix(converting_graph("xml")) == "fast "
    assert float_prefix(converting_graph("tflite")) == ""
    assert "fast gates sigmoid" in graph_features(converting_graph("xml"))


def residual_graph(format: str) -> Graph:
    """A convolution of a map of 8 channels, a ReLU, and a sum with what the convolution read."""
    shape = (1, 8, 10, 10)
    tensors = (tensor("x", shape), tensor("w", (8, 8, 3, 3), constant=True), *(tensor(name, shape) for name in "yzs"))
    ops = (
        Op("c", "Conv", "conv", ("x", "w"), ("y",), 57_600),
        Op("r", "Relu", "activation", ("y",), ("z",), 0),
        Op("a", "Add", "elementwise", ("x", "z"), ("s",), 0),
    )
    return Graph(format, ops, tensors, ("x",), ("s",))


def test_sums_after_a_product_and_copies_into_blocks_are_kernels_of_their_own() -> None:
    found = graph_features(residual_graph("onnx"))
    assert found["moved sum"] == 3 * 800 and found["kernels sum"] == 1 and "moved elementwise" not in found
    assert found["moved reorder"] == 800 + 800, "the image into blocks; and out of them, to be added to the image"
    assert found["kernels reorder"] == 2
    assert found["relu"] == 800 and "pointwise" not in found
    assert all(prior_cost(name) > 0 for name in found)


def test_a_runtime_with_channels_last_adds_in_a_kernel_of_its_own_and_copies_nothing() -> None:
    found = graph_features(residual_graph("tflite"))
    assert found["moved elementwise"] == 3 * 800
    assert not any("sum" in name or "reorder" in name for name in found)
