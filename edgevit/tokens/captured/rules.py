"""What each op of a captured program makes of the axes of its inputs, and how its arguments follow the tokens.

An op that no rule knows may depend on the places of tokens in the image, and is refused.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from edgevit.model.program.layers import CONVOLUTIONS, LINEAR, argument
from edgevit.tokens.captured.axes import (
    Axes,
    Batch,
    Counts,
    Length,
    Tokens,
    all_tokens,
    has_batch,
    has_tokens,
    joined,
    of_size,
    token_axes,
)

_aten = torch.ops.aten
ATTENTION = _aten.scaled_dot_product_attention.default
SOFTMAX = (_aten.softmax.int, _aten._softmax.default)
MEANS = (_aten.mean.dim, _aten.adaptive_avg_pool1d.default)
ADDS = (_aten.add.Tensor,)
TO_THE_END = sys.maxsize


class Unknown(Exception):
    """Says why an op behind the first tokens cannot be carried out on fewer of them."""


@dataclass(frozen=True)
class Size:
    """An integer argument that is the length of an axis."""

    length: Length


@dataclass(frozen=True)
class Ruled:
    """An op on any number of tokens."""

    axes: Axes
    """Of its result; of the first where there are several."""
    arguments: tuple[Any, ...] | None = None
    """With :class:`Size` where an integer follows batch or tokens; None where nothing does."""
    target: Any = None
    """Of the call, where it is another op."""
    parts: tuple[Axes, ...] = ()
    """Axes of each result, where there are several."""
    reads: int | None = None
    """Place of the first of the prefix tokens that the call takes from the others."""


@dataclass(frozen=True)
class Known:
    """What is known of the nodes before one."""

    rules: Mapping[fx.Node, Ruled]
    """Of nodes that depend on the first tokens."""
    others: Mapping[fx.Node, Axes]
    """Of all other tensors."""
    counts: Counts
    """In the captured program."""
    prefix: int
    """Tokens before those of the image's patches."""
    over_softmax: Collection[fx.Node]
    """Nodes that are a softmax over tokens, reshaped at most."""

    def of(self, value: Any) -> Axes:
        """Returns the axes of an argument; () for a number."""
        if not isinstance(value, fx.Node):
            return ()
        found = self.rules.get(value)
        return self.others.get(value, ()) if found is None else found.axes

    def sizes(self, node: fx.Node) -> tuple[int, ...]:
        """Returns the shape of a node's result in the captured program."""
        return tuple(node.meta["val"].shape)


def keeps_values(node: fx.Node) -> bool:
    """Returns whether a call only moves or drops entries of its first input."""
    return node.target is operator.getitem or _RULES.get(node.target) in (_same, _moved, _reshaped, _sliced, _parted)


def rule(node: fx.Node, known: Known) -> Ruled:
    """Returns what a call makes of the axes of its inputs.

    Raises:
        Unknown: it depends on the places of tokens, or no rule knows it.
    """
    if node.target is operator.getitem:
        return Ruled(known.rules[node.args[0]].parts[node.args[1]])  # type: ignore[index]
    if node.target in CONVOLUTIONS or "conv" in str(node.target):
        raise Unknown("a convolution between the blocks needs the whole grid of tokens")
    found = _RULES.get(node.target)
    if found is not None:
        return found(node, known)
    if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.pointwise in node.target.tags:
        return _pointwise(node, known)
    raise Unknown(f"no rule is known for {_name(node)}" + _USUAL_CAUSES.get(_name(node), ""))


def _name(node: fx.Node) -> str:
    return str(node.target).split(".")[1] if "." in str(node.target) else str(node.target)


_USUAL_CAUSES = {
    "roll": ", which shifts windows",
    "pad": ", which pads a grid of tokens",
    "constant_pad_nd": ", which pads a grid of tokens",
    "pixel_shuffle": ", which needs the whole grid of tokens",
    "index": ", which picks tokens by their places",
    "gather": ", which picks tokens by their places",
    "index_select": ", which picks tokens by their places",
}


def _first(node: fx.Node, known: Known) -> Axes:
    return known.of(node.args[0])


def _pointwise(node: fx.Node, known: Known) -> Ruled:
    return Ruled(broadcast(*(known.of(value) for value in (*node.args, *node.kwargs.values()))))


def broadcast(*inputs: Axes) -> Axes:
    """Returns the axes of a result whose inputs are combined entry by entry.

    Raises:
        Unknown: tokens meet anything but tokens.
    """
    rank = max(map(len, inputs))
    padded = [((),) * (rank - len(axes)) + axes for axes in inputs]
    found: list[Length] = []
    for lengths in zip(*padded, strict=True):
        several = set(lengths) - {()}
        if len(several) > 1:
            pairs = any(len(token_axes(axes)) > 1 for axes in inputs)
            if any(map(has_tokens, several)):
                raise Unknown(
                    "each pair of tokens has a value of its own, as in a relative position bias or an attention mask"
                    if pairs
                    else "each token meets a value for its place, as in rotary or repeated position embeddings"
                )
            raise Unknown("batch and tokens cannot be told apart")
        found.append(several.pop() if several else ())
    return tuple(found)


def _same(node: fx.Node, known: Known) -> Ruled:
    return Ruled(_first(node, known))


def _norm(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    if any(has_tokens(length) for length in axes[-len(_list(node.args[1])) :]):
        raise Unknown("a norm over tokens")
    return Ruled(axes)


def _batch_norm(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    if len(axes) < 2 or has_tokens(axes[1]):
        raise Unknown("batch normalization with statistics of each token")
    return Ruled(axes)


def _linear(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    if has_tokens(axes[-1]):
        raise Unknown("a linear layer mixes tokens by their places")
    return Ruled((*axes[:-1], of_size(known.sizes(node)[-1])))


def _matmul(node: fx.Node, known: Known) -> Ruled:
    first, second = known.of(node.args[-2]), known.of(node.args[-1])
    if len(first) < 2 or len(second) < 2:
        raise Unknown("a product with a vector")
    _check_contracted(node, known, first[-1], second[-2])
    found = (*broadcast(first[:-2], second[:-2]), first[-2], second[-1])
    return Ruled(broadcast(found, known.of(node.args[0])) if node.target is _aten.addmm.default else found)


def _check_contracted(node: fx.Node, known: Known, first: Length, second: Length) -> None:
    """Sums over tokens have to be those of softmax attention."""
    if not has_tokens(first) and not has_tokens(second):
        return
    if first != second:
        raise Unknown("a layer mixes tokens by their places")
    if not any(value in known.over_softmax for value in node.all_input_nodes):
        raise Unknown("products are summed over tokens without a softmax, as in linear attention")


def _einsum(node: fx.Node, known: Known) -> Ruled:
    letters, result = einsum_letters(node)
    if letters is None:
        raise Unknown("einsum with an ellipsis or more than two inputs")
    values: list[fx.Node] = list(node.args[1])  # type: ignore[arg-type]
    lengths: dict[str, Length] = {}
    for names, value in zip(letters, values, strict=True):
        for name, length in zip(names, known.of(value), strict=True):
            lengths[name] = broadcast((lengths.get(name, ()),), (length,))[0]
    for name, length in lengths.items():
        if name not in result:
            _check_contracted(node, known, length, length)
    return Ruled(tuple(lengths[name] for name in result))


def einsum_letters(node: fx.Node) -> tuple[tuple[str, str] | None, str]:
    """Returns the letters of both inputs, and of the result, of an einsum; None where there are others."""
    equation = str(node.args[0]).replace(" ", "")
    inputs, arrow, result = equation.partition("->")
    parts = inputs.split(",")
    if not arrow or "." in equation or len(parts) != 2:
        return None, result
    return (parts[0], parts[1]), result


def _attention(node: fx.Node, known: Known) -> Ruled:
    if argument(node, 5, "is_causal"):
        raise Unknown("attention is causal")
    if argument(node, 3, "attn_mask") is not None:
        raise Unknown("attention has a mask or a position bias")
    if argument(node, 7, "enable_gqa"):
        raise Unknown("heads share keys")
    query, keys, values = (known.of(value) for value in node.args[:3])
    if keys[-2] != values[-2] or has_tokens(keys[-1]) or has_tokens(values[-1]):
        raise Unknown("attention over anything but tokens")
    return Ruled((*broadcast(query[:-2], keys[:-2], values[:-2]), query[-2], values[-1]))


def _softmax(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    length = axes[int(argument(node, 1, "dim")) % len(axes)]
    if has_tokens(length) and all_tokens(length) is None:
        raise Unknown("a softmax over more than the tokens")
    return Ruled(axes)


def _moved(node: fx.Node, known: Known) -> Ruled:
    """An op that only moves, joins, adds or drops axes: it is run on axes of different prime sizes."""
    axes = _first(node, known)
    primes = dict(zip((place for place, length in enumerate(axes) if length), _PRIMES, strict=False))
    probe = torch.empty([primes.get(place, 1) for place in range(len(axes))], device="meta")
    shape = node.target(probe, *node.args[1:], **node.kwargs).shape  # type: ignore[operator]
    return Ruled(
        tuple(joined(*(axes[place] for place, prime in primes.items() if size % prime == 0)) for size in shape)
    )


_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def _reshaped(node: fx.Node, known: Known) -> Ruled:
    """Sizes are written out, so that they follow batch and tokens."""
    axes = known.counts.regroup(_first(node, known), known.sizes(node))
    if axes is None:
        raise Unknown("tokens are cut into groups, as windows or a grid are")
    if node.target is _aten.unflatten.int and not any(
        isinstance(factor, Tokens | Batch) for factor in _first(node, known)[int(argument(node, 1, "dim"))]
    ):
        return Ruled(axes)
    return Ruled(axes, (node.args[0], [Size(length) for length in axes]), _aten.reshape.default)


def _expanded(node: fx.Node, known: Known) -> Ruled:
    before, sizes = _first(node, known), known.sizes(node)
    before = ((),) * (len(sizes) - len(before)) + before
    if any(
        not length and size in (known.counts.tokens, known.counts.batch)
        for length, size in zip(before, sizes, strict=True)
    ):
        raise Unknown("a value is repeated for each token")
    axes = tuple(length or of_size(size) for length, size in zip(before, sizes, strict=True))
    return Ruled(axes, (node.args[0], [Size(length) for length in axes]))


def _sliced(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    place = int(argument(node, 1, "dim") or 0) % len(axes)
    size = known.counts.size(axes[place])
    start, end = (
        _place(argument(node, at, name), size, usual) for at, name, usual in ((2, "start", 0), (3, "end", size))
    )
    length = axes[place]
    steps = argument(node, 4, "step") not in (None, 1)
    if (start, end) == (0, size) and not steps:
        return Ruled(axes, (node.args[0], place, 0, TO_THE_END))
    if not has_tokens(length):
        _check_no_batch(length)
        return Ruled(_with(axes, place, of_size(known.sizes(node)[place])))
    if steps:
        raise Unknown("tokens are picked by their places")
    cut = _cut(length, start, end, size, known.prefix)
    arguments = (node.args[0], place, start, TO_THE_END if end == size else end)
    return Ruled(_with(axes, place, cut), arguments, reads=_read(length, cut, start))


def _place(value: Any, size: int, usual: int) -> int:
    if value is None:
        return usual
    place = int(value)
    return min(max(place + size if place < 0 else place, 0), size)


def _cut(length: Length, start: int, end: int, size: int, prefix: int) -> Length:
    tokens = all_tokens(length)
    if tokens is None:
        raise Unknown("tokens are picked by their places")
    first = prefix - tokens.skipped
    if end == size and start <= first:
        return (Tokens(tokens.skipped + start),)
    if end <= first:
        return of_size(end - start)
    raise Unknown("tokens of patches are picked by their places")


def _read(length: Length, cut: Length, start: int) -> int | None:
    tokens = all_tokens(length)
    return tokens.skipped + start if tokens and not has_tokens(cut) else None


def _with(axes: Axes, place: int, *lengths: Length) -> Axes:
    return (*axes[:place], *lengths, *axes[place + 1 :])


def _check_no_batch(length: Length) -> None:
    if has_batch(length):
        raise Unknown("images of a batch are picked by their places")


def _selected(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    place, index = int(argument(node, 1, "dim")) % len(axes), int(argument(node, 2, "index"))
    length = axes[place]
    _check_no_batch(length)
    if has_tokens(length):
        tokens = all_tokens(length)
        if tokens is None or not 0 <= index < known.prefix - tokens.skipped:
            raise Unknown("a token of a patch is picked by its place")
    return Ruled(_with(axes, place), reads=_read(length, (), index))


def _parted(node: fx.Node, known: Known) -> Ruled:
    """``chunk``, ``split`` and ``unbind``: of channels as they are, of tokens behind the prefix only."""
    axes = _first(node, known)
    unbound = node.target is _aten.unbind.int
    at = argument(node, 1 if unbound else 2, "dim") or 0
    place = int(at) % len(axes)
    parts = node.meta["val"]
    length = axes[place]
    _check_no_batch(length)
    if unbound:
        if has_tokens(length):
            raise Unknown("tokens are picked by their places")
        return Ruled((), parts=tuple(_with(axes, place) for _ in parts))
    if not has_tokens(length):
        return Ruled((), parts=tuple(_with(axes, place, of_size(part.shape[place])) for part in parts))
    size, ends, cut = known.counts.size(length), [0], []
    for part in parts:
        ends.append(ends[-1] + part.shape[place])
        cut.append(_cut(length, ends[-2], ends[-1], size, known.prefix))
    return Ruled(
        (),
        (node.args[0], [Size(each) for each in cut], place),
        _aten.split_with_sizes.default,
        tuple(_with(axes, place, each) for each in cut),
        _read(length, cut[0], 0),
    )


def _concatenated(node: fx.Node, known: Known) -> Ruled:
    inputs = [known.of(value) for value in node.args[0]]  # type: ignore[union-attr]
    place = int(argument(node, 1, "dim") or 0) % len(inputs[0])
    broadcast(*(_with(axes, place, ()) for axes in inputs))
    lengths = [axes[place] for axes in inputs]
    if not any(map(has_tokens, lengths)):
        for length in lengths:
            _check_no_batch(length)
        return Ruled(_with(inputs[0], place, of_size(known.sizes(node)[place])))
    tokens, before = all_tokens(lengths[-1]), lengths[:-1]
    if tokens is None or any(map(has_tokens, before)) or tokens.skipped != sum(map(known.counts.size, before)):
        raise Unknown("further tokens are concatenated between the blocks")
    return Ruled(_with(inputs[-1], place, (Tokens(),)))


def _reduced(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    given = argument(node, 1, "dim")
    if node.target is _aten.linalg_vector_norm.default:
        given = argument(node, 2, "dim")
    if given is None or given == []:
        raise Unknown(f"{_name(node)} over all values")
    dims = {dim % len(axes) for dim in _list(given)}
    over = [axes[dim] for dim in dims if has_tokens(axes[dim])]
    if any(has_batch(axes[dim]) for dim in dims):
        raise Unknown(f"{_name(node)} over the images of a batch")
    if over:
        if node.target not in (_aten.mean.dim, _aten.amax.default):
            raise Unknown(f"{_name(node)} over tokens")
        if len(dims) > 1 or all_tokens(over[0]) is None:
            raise Unknown(f"{_name(node)} over more than the tokens")
    keeps = len(known.sizes(node)) == len(axes)
    return Ruled(tuple(() if dim in dims else axes[dim] for dim in range(len(axes)) if keeps or dim not in dims))


def _pooled(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    if _list(node.args[1]) != [1] or (has_tokens(axes[-1]) and all_tokens(axes[-1]) is None):
        raise Unknown("pooling over parts of the tokens")
    return Ruled((*axes[:-1], ()))


def _gated_linear(node: fx.Node, known: Known) -> Ruled:
    axes = _first(node, known)
    place = int(argument(node, 1, "dim") if argument(node, 1, "dim") is not None else -1) % len(axes)
    if has_tokens(axes[place]):
        raise Unknown("tokens are picked by their places")
    return Ruled(_with(axes, place, of_size(known.sizes(node)[place])))


def _list(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _overloads(*names: str) -> tuple[Any, ...]:
    """The ATen ops of these names that this version of torch has."""
    found = []
    for name in names:
        op, _, overload = name.partition(".")
        packet = getattr(_aten, op, None)
        if packet is not None and overload in packet.overloads():
            found.append(getattr(packet, overload))
    return tuple(found)


Rule = Callable[[fx.Node, Known], Ruled]

_GROUPS: tuple[tuple[Rule, tuple[Any, ...]], ...] = (
    (
        _same,
        _overloads(
            "dropout.default", "clone.default", "contiguous.default", "to.dtype", "to.dtype_layout", "_to_copy.default",
            "detach.default", "alias.default", "zeros_like.default", "ones_like.default", "feature_dropout.default",
            "native_dropout.default",
        ),
    ),
    (_norm, _overloads("layer_norm.default", "rms_norm.default")),
    (_batch_norm, _overloads("batch_norm.default")),
    (_linear, (LINEAR,)),
    (_matmul, _overloads("matmul.default", "bmm.default", "mm.default", "addmm.default")),
    (_einsum, _overloads("einsum.default")),
    (_attention, (ATTENTION,)),
    (_softmax, SOFTMAX),
    (
        _moved,
        _overloads(
            "transpose.int", "permute.default", "t.default", "mT.default", "numpy_T.default", "swapaxes.default",
            "swapdims.default", "movedim.int", "moveaxis.int", "unsqueeze.default", "squeeze.default", "squeeze.dim",
            "squeeze.dims", "flatten.using_ints",
        ),
    ),
    (_reshaped, _overloads("view.default", "reshape.default", "_unsafe_view.default", "unflatten.int")),
    (_expanded, _overloads("expand.default")),
    (_sliced, _overloads("slice.Tensor")),
    (_selected, _overloads("select.int")),
    (
        _parted,
        _overloads("chunk.default", "split.Tensor", "split.sizes", "split_with_sizes.default", "unbind.int"),
    ),
    (_concatenated, _overloads("cat.default")),
    (
        _reduced,
        _overloads(
            "mean.dim", "sum.dim_IntList", "amax.default", "amin.default", "var.correction", "std.correction",
            "linalg_vector_norm.default",
        ),
    ),
    (_pooled, _overloads("adaptive_avg_pool1d.default")),
    (_gated_linear, _overloads("glu.default")),
)  # fmt: skip
_RULES: Mapping[Any, Rule] = {op: each for each, ops in _GROUPS for op in ops}
