"""A small network with every kind of layer."""

from __future__ import annotations

from edgevit.devices.calibration.network import Builder, Network

MACS_OF_CONVOLUTIONS = 16 * 16 * 8 * 27 + 64 * 8 * 9 + 2 * 64 + 64 * 64 + 64 * 16 * 8
"""Stem, depthwise, two for the excitation, pointwise, and the one that joins."""
MACS_OF_ATTENTION = 2 * (64 * 8 * 32 + 2 * 64 * 64 * 8) + 64 * 8 * 16 + 64 * 64 * 12 + 64 * 8 * 8 + 16 * 64 * 4
MACS_OF_ATTENTION += 64 * 64 + 16 * 64 * 2 + 2 * 64 * 16 * 8 + 64 * 64
"""Projections and products: twice of one as wide as its tokens, once with keys of 2 and values of 4 in each of two heads, and
once to 16 tokens, which a convolution makes."""
MACS_OF_CLASSES = 800


def every_layer(attends: bool) -> Network:
    """Returns a network of 32 x 32 pixels with every kind of layer; attention only where asked."""
    b = Builder()
    x = b.conv(b.input(32), 8, 3, 2, "relu6")
    x = b.conv(b.pool(x, "max_pool", 2), 8, 3, 1, "hard_swish", 0)
    gate = b.activate(b.conv(b.conv(b.mean(x), 8, act="relu"), 8), "hard_sigmoid")
    x = b.activate(b.add(x, b.conv(b.mul(x, gate), 8, act="silu")), "relu")
    x = b.conv(b.concat(b.pool(x, "avg_pool"), x), 8, act="sigmoid")
    y = b.norm(b.tokens(x, "last_tokens"))
    y = b.transpose(b.reshape(y, (4, 16, 8)), (1, 0, 2))
    y = b.reshape(b.transpose(y, (1, 0, 2)), (1, 64, 8))
    if attends:
        for key, biased in ((0, False), (4, True), (2, True)):
            y = b.add(y, b.attention(y, 2, key, biased))
        fewer = b.tokens(b.conv(b.as_map(y), 8, 2, 2))
        y = b.tokens(b.as_map(b.attention(y, 2, of=fewer)))
    b.classify(b.as_map(y, "last_map"))
    return b.network("every layer")
