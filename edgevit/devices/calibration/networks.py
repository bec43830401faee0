"""The networks that are timed: kernels one kind at a time, and whole networks, each kernel beside those it has in practice.

Some are of the size of published ones, whose weights and activations do not stay in a core's cache from one inference to the
next. None of them is a published network; widths, depths and sizes are such that the shapes of published ones lie between
theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal

from edgevit.devices.calibration.network import Activation, Builder, Network

REFERENCE = "reference"
Make = Callable[[Builder], int]


def networks() -> tuple[Network, ...]:
    """Returns the networks, the most telling first: when time is short, the last ones are left out."""
    return tuple(_network(name, make) for name, make in (_FIRST | FULL_SIZE | _FURTHER).items())


def reference() -> Network:
    """Returns the network whose time every other time is divided by."""
    return _network(REFERENCE, functools.partial(_plain, side=96, widths=(24, 64, 144, 288), blocks=1, act="relu"))


def _network(name: str, make: Make) -> Network:
    builder = Builder()
    make(builder)
    return builder.network(name)


def _plain(b: Builder, side: int, widths: Sequence[int], blocks: int, act: Activation) -> int:
    x = b.input(side)
    for width in widths:
        x = b.conv(x, width, 3, 2, act)
        for _ in range(blocks):
            x = b.conv(x, width, 3, 1, act)
    return b.classify(x)


def _residual(b: Builder, side: int, widths: Sequence[int], blocks: int) -> int:
    x = b.pool(b.conv(b.input(side), widths[0], 7, 2, "relu"), "max_pool", 2)
    for place, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if place and not block else 1
            y = b.conv(b.conv(x, width, 3, stride, "relu"), width, 3)
            if b.shape(x) != b.shape(y):
                x = b.conv(x, width, 1, stride)
            x = b.activate(b.add(y, x), "relu")
    return b.classify(x)


def _bottleneck(b: Builder, side: int, widths: Sequence[int], blocks: int, group: int = 0) -> int:
    x = b.conv(b.input(side), 32, 3, 2, "relu")
    for width in widths:
        for block in range(blocks):
            stride, inner = 1 if block else 2, width if group else width // 4
            y = b.conv(x, inner, 1, 1, "relu")
            y = b.conv(b.conv(y, inner, 3, stride, "relu", inner // group if group else 1), width)
            if b.shape(x) != b.shape(y):
                x = b.conv(x, width, 1, stride)
            x = b.activate(b.add(y, x), "relu")
    return b.classify(x)


def _excite(b: Builder, x: int, act: Activation, gate: Activation) -> int:
    width = b.shape(x)[0]
    inner = max(8, width // 32 * 8)
    return b.mul(x, b.conv(b.conv(b.mean(x), inner, act=act), width, act=gate))


def _inverted(b: Builder, side: int, widths: Sequence[int], blocks: int, kernel: tuple[int, int], acts: tuple[Activation, Activation]) -> int:  # fmt: skip
    expand, window = kernel
    act, gate = acts
    x = b.conv(b.conv(b.input(side), 2 * widths[0], 3, 2, act), 2 * widths[0], 3, 1, act, 0)
    x = b.conv(x, widths[0])
    for width in widths:
        for block in range(blocks):
            inner = b.shape(x)[0] * expand
            y = b.conv(b.conv(x, inner, act=act), inner, window, 1 if block else 2, act, 0)
            if gate != "none":
                y = _excite(b, y, "relu", gate)
            y = b.conv(y, width)
            x = b.add(x, y) if block else y
    return b.classify(b.conv(x, 4 * b.shape(x)[0], act=act), 1000)


def _convnext(b: Builder, side: int, widths: Sequence[int], blocks: int, window: int = 7, heads: int = 0) -> int:
    x = b.conv(b.input(side), widths[0], 4, 4)
    for place, width in enumerate(widths):
        x = b.map_norm(x)
        if place:
            x = b.conv(x, width, 2, 2)
        for _ in range(blocks):
            y = b.norm(b.tokens(b.conv(x, width, window, groups=0), "last_tokens"))
            x = b.add(x, b.as_map(b.linear(b.linear(y, 4 * width, "gelu"), width), "last_map"))
        if heads and place >= 2:
            x = b.as_map(_encoder(b, b.tokens(x), heads, 4))
    return b.classify(x)


def _convnext_by_convs(b: Builder, side: int, widths: Sequence[int], depths: Sequence[int]) -> int:
    x = b.conv(b.input(side), widths[0], 4, 4)
    for place, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        x = b.map_norm(x)
        if place:
            x = b.conv(x, width, 2, 2)
        for _ in range(depth):
            y = b.map_norm(b.conv(x, width, 7, groups=0))
            x = b.add(x, b.conv(b.conv(y, 4 * width, act="gelu"), width))
    return b.classify(x)


def _encoder(b: Builder, x: int, heads: int, ratio: float, act: Activation = "gelu", biased: bool = False) -> int:
    width = b.shape(x)[-1]
    x = b.add(x, b.attention(b.norm(x), heads, biased=biased))
    return b.add(x, b.linear(b.linear(b.norm(x), int(ratio * width), act), width))


def _transformer(b: Builder, image: tuple[int, int], width: int, heads: int, depth: int, ratio: float = 4) -> int:
    side, patch = image
    x = b.tokens(b.conv(b.input(side), width, patch, patch))
    for _ in range(depth):
        x = _encoder(b, x, heads, ratio)
    return b.classify(b.as_map(b.norm(x)))


def _windowed(b: Builder, side: int, widths: Sequence[int], heads: Sequence[int], sizes: Sequence[int], blocks: int = 1) -> int:  # fmt: skip
    act: Activation = "gelu"
    x = b.conv(b.conv(b.input(side), widths[0] // 2, 3, 2, act), widths[0], 3, 2)
    for width, count, size in zip(widths[1:], heads, sizes, strict=True):
        x = b.conv(b.conv(b.conv(x, width, act=act), width, 3, 2, act, 0), width)
        encode = functools.partial(_encoder, b, heads=count, ratio=4, act=act, biased=True)
        for _ in range(blocks):
            x = b.conv(_windows(b, x, size, encode), width, 3, groups=0)
    return b.classify(x)


def _windows(b: Builder, x: int, size: int, block: Callable[[int], int]) -> int:
    channels, side, _ = b.shape(x)
    count = side // size
    y = b.reshape(b.tokens(x, "last_tokens"), (count, size, count, size, channels))
    y = b.reshape(b.transpose(y, (0, 2, 1, 3, 4)), (count * count, size * size, channels))
    y = b.reshape(block(y), (count, count, size, size, channels))
    y = b.reshape(b.transpose(y, (0, 2, 1, 3, 4)), (1, side * side, channels))
    return b.as_map(y, "last_map")


def _mixed(b: Builder, side: int, widths: Sequence[int], token_widths: Sequence[int]) -> int:
    act: Activation = "silu"
    x = b.conv(b.input(side), 16, 3, 2, act)
    for width, tokens in zip(widths, token_widths, strict=True):
        inner = 4 * b.shape(x)[0]
        x = b.conv(b.conv(b.conv(x, inner, act=act), inner, 3, 2, act, 0), width)
        if tokens:
            y = b.tokens(b.conv(b.conv(x, width, 3, act=act), tokens))
            count = b.shape(y)[1]
            y = b.transpose(b.reshape(y, (count // 4, 4, tokens)), (1, 0, 2))
            for _ in range(2):
                y = _encoder(b, y, 4, 2, act)
            y = b.reshape(b.transpose(b.norm(y), (1, 0, 2)), (1, count, tokens))
            x = b.conv(b.concat(x, b.conv(b.as_map(y), width, act=act)), width, 3, act=act)
    return b.classify(b.conv(x, 4 * b.shape(x)[0], act=act))


def _pyramid(b: Builder, side: int, widths: Sequence[int], heads: Sequence[int], key: int, depth: int) -> int:
    x = b.input(side)
    for part in (8, 4, 2, 1):
        x = b.conv(x, widths[0] // part, 3, 2, "none" if part == 1 else "hard_swish")
    for place, (width, count) in enumerate(zip(widths, heads, strict=True)):
        y = b.tokens(b.conv(b.conv(x, 2 * width, 1, 2, "hard_swish"), width) if place else x)
        for _ in range(depth):
            y = b.add(y, b.attention(y, count, key, True))
            y = b.add(y, b.linear(b.linear(y, 2 * width, "hard_swish"), width))
        x = b.as_map(y)
    return b.classify(x)


def _reducing(b: Builder, widths: Sequence[int], heads: Sequence[int], factors: Sequence[int], depth: int) -> int:
    """Attention to the tokens of a smaller map, and a depthwise convolution between two linear layers."""
    x = b.conv(b.input(224), widths[0], 7, 4)
    for place, (width, count, factor) in enumerate(zip(widths, heads, factors, strict=True)):
        y = b.norm(b.tokens(b.conv(x, width, 3, 2) if place else x))
        for _ in range(depth):
            z = b.norm(y)
            fewer = b.norm(b.tokens(b.conv(b.as_map(z), width, factor, factor))) if factor > 1 else None
            y = b.add(y, b.attention(z, count, of=fewer))
            z = b.conv(b.as_map(b.linear(b.norm(y), 4 * width)), 4 * width, 3, groups=0)
            y = b.add(y, b.linear(b.activate(b.tokens(z), "gelu"), width))
        x = b.as_map(b.norm(y))
    return b.classify(x)


def _depthwise_first(b: Builder, side: int, widths: Sequence[int], blocks: int, window: int, acts: tuple[Activation, Activation]) -> int:  # fmt: skip
    """Depthwise convolutions before the layer that widens; every other one is followed by excitation when it is gated."""
    act, gate = acts
    x = b.conv(b.conv(b.input(side), widths[0] // 2, 3, 2, act), widths[0], 3, 2, act)
    for place, width in enumerate(widths):
        if place:
            x = b.conv(b.conv(x, b.shape(x)[0], window, 2, groups=0), width)
        for block in range(blocks):
            y = b.conv(x, width, window, groups=0)
            if gate != "none" and block % 2 == 0:
                y = _excite(b, y, "relu", gate)
            if gate == "none":
                y = b.conv(b.conv(b.conv(y, 3 * width, act=act), 3 * width, 3, 1, act, 0), width)
            else:
                y = b.conv(b.conv(y, 2 * width, act=act), width)
            x = b.add(x, y)
    return b.classify(x)


def _pooling(b: Builder, side: int, widths: Sequence[int], heads: int) -> int:
    x = b.conv(b.conv(b.input(side), widths[0] // 2, 3, 2, "relu"), widths[0], 3, 2, "relu")
    for place, width in enumerate(widths):
        x = b.conv(x, width, 3, 2) if place else x
        x = b.add(x, b.pool(x, "avg_pool"))
        x = b.add(x, b.conv(b.conv(x, 4 * width, act="gelu"), width))
    if heads:
        x = b.as_map(_encoder(b, b.tokens(x), heads, 4))
    return b.classify(x)


def _convs(b: Builder, side: int, width: int, count: int, window: int = 1, groups: int = 1) -> int:
    x = b.conv(b.input(side * 4), width, 4, 4)
    for _ in range(count):
        x = b.conv(x, width, window, 1, "relu", groups)
    return b.classify(x)


def _beside(b: Builder, side: int, width: int, out: int, kernel: tuple[int, int], count: int) -> int:
    """Convolutions of one map, or of the image when ``width`` is 0: none makes what the next one reads.

    Those that make as many channels as they read are depthwise.
    """
    window, stride = kernel
    x = b.conv(b.input(side * 4), width, 4, 4) if width else b.input(side)
    found = [b.mean(b.conv(x, out, window, stride, "relu", 0 if out == width else 1)) for _ in range(count)]
    return b.classify(functools.reduce(b.concat, found))


def _linears(b: Builder, side: int, width: int, ratio: int, count: int, act: Activation) -> int:
    x = b.tokens(b.conv(b.input(side * 8), width, 8, 8), "last_tokens")
    for _ in range(count):
        x = b.linear(b.linear(x, ratio * width, act), width)
    return b.classify(b.as_map(x, "last_map"))


def _attentions(b: Builder, side: int, width: int, heads: int, count: int, key: int = 0) -> int:
    x = b.tokens(b.conv(b.input(side * 8), width, 8, 8))
    for _ in range(count):
        x = b.add(x, b.attention(x, heads, key, bool(key)))
    return b.classify(b.as_map(x))


def _norms(b: Builder, side: int, width: int, count: int) -> int:
    x = b.tokens(b.conv(b.input(side * 8), width, 8, 8), "last_tokens")
    for _ in range(count):
        x = b.add(x, b.linear(b.norm(x), width))
    return b.classify(b.as_map(x, "last_map"))


def _gates(b: Builder, side: int, width: int, count: int, act: Activation) -> int:
    x = b.conv(b.input(side * 4), width, 4, 4)
    for _ in range(count):
        x = b.add(x, b.activate(x, act))
    return b.classify(x)


def _excites(b: Builder, side: int, width: int, count: int) -> int:
    x = b.conv(b.input(side * 4), width, 4, 4)
    for _ in range(count):
        x = _excite(b, x, "relu", "sigmoid")
    return b.classify(x)


def _pools(b: Builder, side: int, width: int, count: int, kind: Literal["max_pool", "avg_pool"]) -> int:
    x = b.conv(b.input(side * 4), width, 4, 4)
    for _ in range(count):
        x = b.add(x, b.pool(x, kind))
    return b.classify(x)


def _moves(b: Builder, side: int, width: int, count: int) -> int:
    x = b.conv(b.input(side * 4), width, 4, 4)
    for _ in range(count):
        x = b.add(x, _windows(b, x, 7, lambda y: b.activate(y, "relu")))
        x = b.add(x, b.as_map(b.activate(b.tokens(x), "relu")))
    return b.classify(x)


_p = functools.partial
_FIRST: dict[str, Make] = {
    "residual-a": _p(_residual, side=192, widths=(48, 80, 160, 320), blocks=1),
    "inverted-a": _p(_inverted, side=224, widths=(16, 24, 40, 72, 144), blocks=2, kernel=(4, 3), acts=("relu6", "none")),
    "transformer-a": _p(_transformer, image=(224, 16), width=160, heads=5, depth=2),
    "excited-a": _p(_inverted, side=224, widths=(16, 24, 40, 56, 104), blocks=2, kernel=(4, 5), acts=("hard_swish", "hard_sigmoid")),
    "convnext-a": _p(_convnext, side=224, widths=(32, 64, 128, 256), blocks=1),
    "mixed-a": _p(_mixed, side=224, widths=(24, 40, 56), token_widths=(0, 0, 72)),
    "pyramid-a": _p(_pyramid, side=224, widths=(160,), heads=(4,), key=16, depth=3),
    "windowed-a": _p(_windowed, side=224, widths=(48, 96, 160), heads=(3, 5), sizes=(7, 7)),
    "pooling-a": _p(_pooling, side=192, widths=(40, 80, 160, 320), heads=10),
    "grouped-a": _p(_bottleneck, side=192, widths=(32, 64, 144, 320), blocks=1, group=8),
    "linears-few": _p(_linears, side=4, width=368, ratio=2, count=4, act="hard_swish"),
    "linears-a": _p(_linears, side=14, width=192, ratio=3, count=3, act="gelu"),
    "convs-1x1-a": _p(_convs, side=28, width=96, count=6),
    "convs-3x3-a": _p(_convs, side=28, width=88, count=4, window=3),
    "depthwise-3": _p(_convs, side=56, width=96, count=5, window=3, groups=0),
    "attention-a": _p(_attentions, side=14, width=192, heads=3, count=3),
    "norms-a": _p(_norms, side=20, width=192, count=4),
    "gates-gelu": _p(_gates, side=28, width=96, count=5, act="gelu"),
    "gates-silu": _p(_gates, side=28, width=96, count=5, act="silu"),
    "gates-hard": _p(_gates, side=28, width=96, count=5, act="hard_swish"),
    "excites": _p(_excites, side=20, width=144, count=8),
    "pools-max": _p(_pools, side=28, width=96, count=3, kind="max_pool"),
    "pools-average": _p(_pools, side=28, width=96, count=3, kind="avg_pool"),
    "moves": _p(_moves, side=28, width=96, count=3),
    "stems-3x3": _p(_beside, side=224, width=0, out=32, kernel=(3, 2), count=4),
    "stems-4x4": _p(_beside, side=224, width=0, out=48, kernel=(4, 4), count=4),
    "stems-16x16": _p(_beside, side=224, width=0, out=160, kernel=(16, 16), count=3),
    "strided-a": _p(_beside, side=56, width=48, out=96, kernel=(3, 2), count=3),
    "strided-b": _p(_beside, side=14, width=176, out=256, kernel=(3, 2), count=3),
    "strided-2x2": _p(_beside, side=28, width=96, out=208, kernel=(2, 2), count=3),
    "depthwise-3-strided": _p(_beside, side=56, width=96, out=96, kernel=(3, 2), count=6),
    "depthwise-5-strided": _p(_beside, side=28, width=160, out=160, kernel=(5, 2), count=6),
}  # fmt: skip
FULL_SIZE: dict[str, Make] = {
    "inverted-e": _p(_inverted, side=224, widths=(24, 32, 56, 88, 176), blocks=3, kernel=(6, 3), acts=("relu6", "none")),
    "transformer-f": _p(_transformer, image=(224, 16), width=256, heads=4, depth=8),
    "mixed-c": _p(_mixed, side=256, widths=(32, 48, 64, 96), token_widths=(0, 72, 96, 120)),
    "excited-d": _p(_inverted, side=224, widths=(24, 32, 48, 96, 160), blocks=3, kernel=(4, 5), acts=("silu", "sigmoid")),
    "convnext-d": _p(_convnext, side=224, widths=(48, 96, 176, 336), blocks=3),
    "grouped-d": _p(_bottleneck, side=224, widths=(40, 88, 176, 392), blocks=3, group=8),
    "pooling-c": _p(_pooling, side=224, widths=(56, 112, 208, 416), heads=13),
    "windowed-c": _p(_windowed, side=224, widths=(64, 96, 192, 288), heads=(3, 6, 9), sizes=(7, 7, 7)),
    "residual-d": _p(_residual, side=224, widths=(56, 112, 208, 384), blocks=2),
    "pyramid-c": _p(_pyramid, side=224, widths=(208,), heads=(4,), key=16, depth=8),
    "convnext-e": _p(_convnext_by_convs, side=224, widths=(36, 72, 152, 304), depths=(2, 2, 5, 2)),
    "pyramid-d": _p(_pyramid, side=224, widths=(144, 240, 368), heads=(4, 6, 8), key=16, depth=3),
    "windowed-d": _p(_windowed, side=224, widths=(56, 128, 160, 352), heads=(4, 5, 11), sizes=(7, 14, 7), blocks=2),
    "inverted-f": _p(_inverted, side=224, widths=(16, 32, 40, 112, 208), blocks=2, kernel=(6, 5), acts=("relu6", "none")),
    "mixed-d": _p(_mixed, side=256, widths=(24, 48, 72, 88), token_widths=(0, 56, 88, 104)),
    "transformer-g": _p(_transformer, image=(224, 16), width=128, heads=2, depth=12),
    "excited-e": _p(_inverted, side=224, widths=(16, 32, 40, 80, 144), blocks=3, kernel=(5, 3), acts=("hard_swish", "hard_sigmoid")),
    "reducing-a": _p(_reducing, widths=(48, 80, 144, 208), heads=(1, 2, 4, 8), factors=(8, 4, 2, 1), depth=2),
    "convnext-f": _p(_convnext, side=224, widths=(24, 40, 88, 160), blocks=2, window=5, heads=4),
    "depthwise-first-a": _p(_depthwise_first, side=224, widths=(32, 80, 176, 336), blocks=3, window=3, acts=("gelu", "sigmoid")),
    "depthwise-first-b": _p(_depthwise_first, side=224, widths=(32, 48, 112, 144), blocks=3, window=5, acts=("relu", "none")),
    "transformer-h": _p(_transformer, image=(224, 16), width=448, heads=7, depth=7),
    "residual-e": _p(_residual, side=224, widths=(72, 136, 264, 496), blocks=2),
    "excited-f": _p(_inverted, side=224, widths=(24, 40, 80, 120, 200), blocks=3, kernel=(5, 5), acts=("hard_swish", "hard_sigmoid")),
    "mixed-e": _p(_mixed, side=256, widths=(32, 64, 104, 144), token_widths=(0, 152, 200, 232)),
    "reducing-b": _p(_reducing, widths=(64, 128, 256, 448), heads=(1, 2, 4, 7), factors=(8, 4, 2, 1), depth=2),
    "windowed-e": _p(_windowed, side=224, widths=(64, 128, 224, 416), heads=(4, 7, 13), sizes=(7, 14, 7), blocks=2),
}  # fmt: skip
"""Of the size of those whose latency is asked for."""
_FURTHER: dict[str, Make] = {
    "depthwise-5": _p(_convs, side=28, width=240, count=5, window=5, groups=0),
    "convs-1x1-b": _p(_convs, side=14, width=400, count=5),
    "transformer-b": _p(_transformer, image=(160, 16), width=256, heads=4, depth=3),
    "residual-b": _p(_residual, side=128, widths=(64, 144, 288, 480), blocks=1),
    "inverted-b": _p(_inverted, side=160, widths=(24, 32, 64, 112, 200), blocks=2, kernel=(6, 3), acts=("relu6", "none")),
    "bottleneck-a": _p(_bottleneck, side=160, widths=(96, 192, 384), blocks=2),
    "depthwise-7": _p(_convs, side=28, width=160, count=4, window=7, groups=0),
    "linears-b": _p(_linears, side=7, width=384, ratio=4, count=3, act="relu"),
    "attention-b": _p(_attentions, side=14, width=128, heads=4, count=4, key=16),
    "convs-3x3-c": _p(_convs, side=7, width=448, count=2, window=3),
    "convs-3x3-d": _p(_convs, side=56, width=64, count=2, window=3),
    "transformer-c": _p(_transformer, image=(224, 32), width=320, heads=5, depth=3),
    "convnext-b": _p(_convnext, side=160, widths=(48, 96, 192, 384), blocks=1),
    "pooling-b": _p(_pooling, side=160, widths=(56, 104, 208, 384), heads=0),
    "excited-b": _p(_inverted, side=160, widths=(16, 24, 48, 112, 192), blocks=2, kernel=(4, 3), acts=("silu", "sigmoid")),
    "plain-a": _p(_plain, side=160, widths=(40, 64, 96, 192, 640), blocks=1, act="relu"),
    "grouped-b": _p(_bottleneck, side=160, widths=(48, 96, 240, 528), blocks=1, group=16),
    "windowed-b": _p(_windowed, side=224, widths=(64, 128, 160, 320), heads=(4, 5, 10), sizes=(7, 7, 7)),
    "mixed-b": _p(_mixed, side=256, widths=(32, 40, 72, 88), token_widths=(0, 0, 88, 112)),
    "pyramid-b": _p(_pyramid, side=160, widths=(288,), heads=(6,), key=24, depth=3),
    "inverted-c": _p(_inverted, side=192, widths=(16, 24, 48, 104, 176), blocks=2, kernel=(5, 5), acts=("relu6", "none")),
    "transformer-d": _p(_transformer, image=(176, 16), width=448, heads=7, depth=2),
    "linears-c": _p(_linears, side=28, width=96, ratio=4, count=3, act="none"),
    "convs-1x1-c": _p(_convs, side=56, width=32, count=8),
    "convs-3x3-b": _p(_convs, side=14, width=208, count=4, window=3),
    "plain-b": _p(_plain, side=128, widths=(16, 48, 128, 384), blocks=2, act="silu"),
    "excited-c": _p(_inverted, side=128, widths=(16, 32, 56, 96, 128), blocks=2, kernel=(6, 3), acts=("hard_swish", "hard_sigmoid")),
    "convnext-c": _p(_convnext, side=128, widths=(64, 112, 224, 352), blocks=2, window=5),
    "residual-c": _p(_residual, side=160, widths=(24, 56, 104, 224), blocks=2),
    "transformer-e": _p(_transformer, image=(192, 16), width=128, heads=2, depth=3, ratio=3),
    "linears-d": _p(_linears, side=14, width=320, ratio=2, count=3, act="gelu"),
    "grouped-c": _p(_bottleneck, side=224, widths=(24, 56, 152, 368), blocks=1, group=8),
    "inverted-d": _p(_inverted, side=128, widths=(32, 40, 88, 160, 288), blocks=2, kernel=(6, 5), acts=("relu6", "none")),
}  # fmt: skip
