"""Softmax attention in a captured program: its query and keys, and where its result joins the residual stream."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from edgevit.model.program.layers import argument
from edgevit.model.program.nodes import is_call, is_idle_dropout, shape
from edgevit.tokens.captured.rules import ADDS, ATTENTION, SOFTMAX, Unknown, einsum_letters

_aten = torch.ops.aten
_PRODUCTS = (_aten.matmul.default, _aten.bmm.default, _aten.einsum.default)
_SCALES = (_aten.mul.Tensor, _aten.div.Tensor, _aten.mul.Scalar, _aten.div.Scalar)
_MASKS = (_aten.masked_fill.Scalar, _aten.masked_fill.Tensor, _aten.where.self, _aten.where.ScalarOther)
_COPIES = (_aten.to.dtype, _aten.clone.default, _aten.contiguous.default, _aten._to_copy.default)


@dataclass(frozen=True)
class Attention:
    """One attention."""

    node: fx.Node
    """The op that attends, or the softmax of one written out."""
    query: fx.Node
    query_order: tuple[int, ...]
    """Permutation of its axes to [..., tokens, width]; the leading ones are those of the scores."""
    keys: fx.Node
    keys_order: tuple[int, ...]
    scales: tuple[fx.Node, ...]
    """Multiplications and divisions by a factor between the products and the softmax, in their order."""
    scale: float
    """Factor of the products that the op has itself."""


def find_attention(node: fx.Node) -> Attention | None:
    """Returns the attention that a node is the op or the softmax of; None for any other node."""
    if is_call(node, ATTENTION):
        query, keys = node.args[0], node.args[1]
        assert isinstance(query, fx.Node)
        assert isinstance(keys, fx.Node)
        in_place = tuple(range(len(shape(query))))
        scale = argument(node, 6, "scale")
        return Attention(
            node, query, in_place, keys, in_place, (), shape(query)[-1] ** -0.5 if scale is None else scale
        )
    if not is_call(node, *SOFTMAX) or int(argument(node, 1, "dim")) % len(shape(node)) != len(shape(node)) - 1:
        return None
    product, scales = _scores(node)
    return _of_product(node, product, scales) if is_call(product, *_PRODUCTS) else None


def _scores(softmax: fx.Node) -> tuple[fx.Node, tuple[fx.Node, ...]]:
    """What goes into a softmax, but for the factors that it is scaled by."""
    scales: list[fx.Node] = []
    at: Any = softmax.args[0]
    while True:
        if is_call(at, *_COPIES):
            at = at.args[0]
        elif is_call(at, *_SCALES):
            scales.insert(0, at)
            at = scaled(at)[0]
        else:
            return at, tuple(scales)


def other_scores(node: fx.Node) -> str:
    """Returns what is done to the scores of a softmax among as many values that :func:`find_attention` does not know.

    Returns:
        A cause, or "" for any other node.
    """
    if not is_call(node, *SOFTMAX) or len(shape(node)) < 3 or shape(node)[-1] != shape(node)[-2]:
        return ""
    if find_attention(node):
        return ""
    scores = _scores(node)[0]
    if is_call(scores, *ADDS, *_MASKS):
        return "attention has a mask or a position bias"
    return f"attention is no softmax of products of queries and keys, but of {scores.target}"


def scaled(scale: fx.Node) -> tuple[Any, Any]:
    """Returns what a multiplication or division scales, and the factor."""
    first, second = scale.args[:2]
    if isinstance(first, fx.Node) and shape(first) == shape(scale):
        return first, second
    return second, first


def _of_product(node: fx.Node, product: fx.Node, scales: tuple[fx.Node, ...]) -> Attention | None:
    if product.target is not _aten.einsum.default:
        query, keys = product.args
        assert isinstance(query, fx.Node)
        assert isinstance(keys, fx.Node)
        rank = len(shape(keys))
        if len(shape(query)) != rank or rank < 3:
            return None
        order = tuple(range(rank))
        return Attention(node, query, order, keys, (*order[:-2], rank - 1, rank - 2), scales, 1.0)
    letters, result = einsum_letters(product)
    if letters is None or len(result) < 3:
        return None
    leading, row, column = result[:-2], result[-2], result[-1]
    widths = set(letters[0]) & set(letters[1]) - set(result)
    values: Any = product.args[1]
    if len(widths) != 1 or len(set(letters[0])) != len(letters[0]) or len(set(letters[1])) != len(letters[1]):
        return None
    width = widths.pop()
    found = []
    for token in (row, column):
        side = next((place for place, names in enumerate(letters) if set(names) == {*leading, token, width}), None)
        if side is None:
            return None
        found += [values[side], tuple(letters[side].index(name) for name in (*leading, token, width))]
    return Attention(node, found[0], found[1], found[2], found[3], scales, 1.0)


def residual_add(attention: Attention, graph: fx.Graph) -> tuple[fx.Node, fx.Node]:
    """Returns the addition where the result of an attention joins the residual stream, and the stream before it.

    Raises:
        Unknown: there is none.
    """
    before, behind = ancestors(attention.node), {attention.node}
    for node in graph.nodes:
        if not any(value in behind for value in node.all_input_nodes):
            continue
        if is_call(node, *ADDS):
            for value, other in (node.args[:2], node.args[1::-1]):
                if value in behind and other in before and shape(other) == shape(node):
                    return node, other
        behind.add(node)
    raise Unknown("the result of an attention is not added to what went into it")


def ancestors(node: fx.Node) -> set[fx.Node]:
    """Returns the nodes that a node depends on, and itself."""
    waiting, found = [node], set[fx.Node]()
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += at.all_input_nodes
    return found


def reads_values(attention: Attention) -> bool:
    """Returns whether a softmax written out is multiplied with values, as that of attention is."""
    if is_call(attention.node, ATTENTION):
        return True
    return any(is_call(reader, *_PRODUCTS) for reader in _readers(attention.node))


def _readers(node: fx.Node) -> Iterator[fx.Node]:
    for user in node.users:
        if is_idle_dropout(user) or is_call(user, *_COPIES):
            yield from _readers(user)
        else:
            yield user


def prefix_tokens(stream: fx.Node, place: int, images: Container[fx.Node]) -> int:
    """Returns how many tokens are concatenated before those of an image's patches.

    Args:
        stream: What enters the first block.
        place: Its axis of tokens.
        images: All nodes that depend on the image.

    Raises:
        Unknown: tokens follow those of the patches, or cannot be told from them.
    """
    node, count = stream, 0
    while True:
        if is_call(node, _aten.cat.default) and int(argument(node, 1, "dim") or 0) % len(shape(node)) == place:
            parts: Any = node.args[0]
            of_image = [at for at, part in enumerate(parts) if part in images]
            if of_image != [len(parts) - 1]:
                raise Unknown("tokens are concatenated behind those of the patches")
            count += sum(shape(part)[place] for part in parts[:-1])
            node = parts[-1]
            continue
        inputs = [value for value in node.all_input_nodes if value in images]
        if len(inputs) == 1 and is_call(node, _aten.transpose.int, _aten.permute.default):
            place = _place_before(node, place)
        elif len(inputs) != 1 or not _keeps_tokens(inputs[0], node, place):
            if any(_may_add_tokens(each, images) for each in ancestors(node)):
                raise Unknown("tokens of the image's patches cannot be told from others")
            return count
        node = inputs[0]


def _may_add_tokens(node: fx.Node, images: Container[fx.Node]) -> bool:
    """Whether a call puts anything beside a value that depends on the image."""
    if is_call(node, _aten.cat.default):
        return len({part in images for part in node.all_input_nodes}) > 1
    return node in images and is_call(node, _aten.slice_scatter.default, _aten.select_scatter.default)


def _keeps_tokens(before: fx.Node, node: fx.Node, place: int) -> bool:
    """Whether shapes are equal but for channels, the last axis."""
    sizes = shape(before), shape(node)
    if sizes[0] == sizes[1]:
        return True
    return len(sizes[0]) == len(sizes[1]) and place < len(sizes[0]) - 1 and sizes[0][:-1] == sizes[1][:-1]


def _place_before(node: fx.Node, place: int) -> int:
    order = list(range(len(shape(node))))
    if is_call(node, _aten.permute.default):
        order = [int(at) % len(order) for at in node.args[1]]  # type: ignore[union-attr, arg-type]
    else:
        first, second = (int(at) % len(order) for at in node.args[1:3])  # type: ignore[arg-type]
        order[first], order[second] = order[second], order[first]
    return order[place]
