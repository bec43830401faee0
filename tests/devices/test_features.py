from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.features import FEATURES, features, for_batch, kernel_features
from edgevit.devices.kernels import Kernel


def test_without_kernels_only_the_constant_counts() -> None:
    assert {name: value for name, value in features([]).items() if value} == {"constant": 1.0}
    assert tuple(features([])) == FEATURES


def conv(window: int, stride: int, into: int = 32, out: int = 64) -> Kernel:
    return Kernel("c", "conv", "float", 100, 10, 20, 7, window, stride, (into, out), heavy=5)


@pytest.mark.parametrize(
    ("kernel", "name", "padded"),
    [
        (conv(3, 1), "macs_conv_3x3", 100),
        (conv(3, 2), "macs_conv_kxk", 100),
        (conv(5, 1), "macs_conv_kxk", 100),
        (conv(1, 1, out=48), "macs_conv_1x1", 100 * 64 / 48),
        (conv(3, 2, into=3), "macs_stem", 100 * 32 / 3),
        (conv(3, 2, into=1, out=1), "macs_stem", 1600),
    ],
)
def test_a_dense_convolution(kernel: Kernel, name: str, padded: float) -> None:
    assert kernel_features(kernel) == {
        name: 100,
        "macs_padded": pytest.approx(padded),
        "weights_conv": 7,
        "moved_dense": 30,
        "kernels_dense": 1,
        "moved_heavy_activation": 5,
    }


@pytest.mark.parametrize(("width", "name"), [(8, "macs_grouped"), (31, "macs_grouped"), (32, "macs_conv_3x3")])
def test_a_convolution_in_wide_groups_counts_as_a_dense_one(width: int, name: str) -> None:
    grouped = Kernel("g", "grouped", "float", 100, 10, 20, 7, 3, 1, (width, 64))
    assert [found for found in kernel_features(grouped) if found.startswith("macs_")] == [name, "macs_padded"]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel("d", "depthwise", "float", 9, 2, 3, 4, 3), {"macs_depthwise_3": 9, "weights_conv": 4, "moved_depthwise": 5, "kernels_depthwise": 1}),
        (Kernel("d", "depthwise", "float", 9, 2, 3, 4, 7), {"macs_depthwise_large": 9, "weights_conv": 4, "moved_depthwise": 5, "kernels_depthwise": 1}),
        (Kernel("l", "linear", "float", 8, 2, 3, 4), {"macs_linear": 8, "weights_linear": 4, "moved_linear": 5, "kernels_linear": 1}),
        (Kernel("l", "linear", "float", 4, 2, 3, 4), {"weights_classifier": 4, "kernels_linear": 1}),
        (Kernel("m", "attention", "float", 8, 2, 3), {"macs_attention": 8, "moved_attention": 5, "kernels_attention": 1}),
        (Kernel("n", "normalization", "float", 0, 2, 3), {"moved_normalization": 5, "kernels_normalization": 1}),
        (Kernel("s", "softmax", "float", 0, 2, 3), {"moved_softmax": 5, "kernels_normalization": 1}),
        (Kernel("a", "activation", "float", 0, 2, 3), {"moved_light_activation": 5, "kernels_activation": 1}),
        (Kernel("a", "activation", "float", 0, 2, 3, light=False), {"moved_heavy_activation": 5, "kernels_activation": 1}),
        (Kernel("e", "elementwise", "float", 0, 2, 3), {"moved_elementwise": 5, "kernels_elementwise": 1}),
        (Kernel("p", "pooling", "float", 0, 4, 3), {"moved_pooling": 7, "kernels_pooling": 1}),
        (Kernel("p", "pooling", "float", 0, 4, 3, light=False), {"moved_pooling": 4, "kernels_global_pooling": 1}),
        (Kernel("t", "layout", "float", 0, 3, 3), {"moved_layout": 6, "kernels_layout": 1}),
    ],
)  # fmt: skip
def test_each_other_family(kernel: Kernel, expected: dict[str, float]) -> None:
    assert kernel_features(kernel) == expected


def test_features_add_up() -> None:
    total = features([conv(3, 1), conv(3, 1)])
    assert (total["macs_conv_3x3"], total["kernels_dense"], total["constant"]) == (200, 2, 1)


def test_work_grows_with_the_batch_and_kernels_and_weights_do_not() -> None:
    grown = dict(zip(FEATURES, for_batch(np.ones(len(FEATURES)), 8), strict=True))
    assert {name for name, value in grown.items() if value == 8} == {
        name for name in FEATURES if name.startswith(("macs_", "moved_"))
    }
    assert grown["kernels_dense"] == grown["weights_conv"] == grown["constant"] == 1
