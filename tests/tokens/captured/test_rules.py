"""Axes of the results of single ops."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import fx  # noqa: E402

from edgevit.tokens.captured.axes import BATCH, TOKENS, Axes, Counts, Tokens  # noqa: E402
from edgevit.tokens.captured.rules import TO_THE_END, Known, Ruled, Size, Unknown, broadcast, keeps_values, rule  # noqa: E402

aten = torch.ops.aten
BATCHES, COUNT, PREFIX = 2, 17, 1
STREAM: Axes = ((BATCH,), (TOKENS,), (8,))
COUNTS = Counts(BATCHES, COUNT)


def called(target: Any, *arguments: Any, axes: Axes = STREAM, second: Axes | None = None) -> fx.Node:
    """A call on a tensor of some axes, and a second one for "second" among the arguments."""
    graph = fx.Graph()
    nodes = {}
    for name, each in (("first", axes), ("second", second)):
        if each is not None:
            nodes[name] = graph.placeholder(name)
            nodes[name].meta["val"] = torch.empty(tuple(map(COUNTS.size, each)))
    given = fx.node.map_aggregate(
        ("first", *arguments), lambda value: nodes.get(value, value) if isinstance(value, str) else value
    )
    node = graph.call_function(target, given)
    node.meta["val"] = target(*fx.node.map_arg(given, lambda value: value.meta["val"]))
    return node


def ruled(
    target: Any, *arguments: Any, axes: Axes = STREAM, second: Axes | None = None, softmax: bool = False
) -> Ruled:
    node = called(target, *arguments, axes=axes, second=second)
    given = dict(zip(node.all_input_nodes, [each for each in (axes, second) if each is not None], strict=True))
    over = {node.all_input_nodes[0]} if softmax else set()
    found = rule(node, Known({each: Ruled(one) for each, one in given.items()}, {}, COUNTS, PREFIX, over))
    results = node.meta["val"]
    shapes = [tuple(each.shape) for each in (results if isinstance(results, list | tuple) else [results])]
    assert [tuple(map(COUNTS.size, each)) for each in (found.parts or (found.axes,))] == shapes
    return found


HEADS: Axes = ((BATCH,), (2,), (TOKENS,), (4,))
PATCHES = (Tokens(1),)


@pytest.mark.parametrize(
    ("target", "arguments", "axes", "after"),
    [
        (aten.gelu.default, (), STREAM, STREAM),
        (aten.transpose.int, (0, 1), STREAM, ((TOKENS,), (BATCH,), (8,))),
        (aten.permute.default, ([0, 2, 1, 3],), HEADS, ((BATCH,), (TOKENS,), (2,), (4,))),
        (aten.flatten.using_ints, (2,), ((BATCH,), (TOKENS,), (2,), (4,)), STREAM),
        (aten.unsqueeze.default, (1,), STREAM, ((BATCH,), (), (TOKENS,), (8,))),
        (aten.select.int, (1, 0), STREAM, ((BATCH,), (8,))),
        (aten.slice.Tensor, (1, 1, TO_THE_END), STREAM, ((BATCH,), PATCHES, (8,))),
        (aten.slice.Tensor, (1, 0, 1), STREAM, ((BATCH,), (), (8,))),
        (aten.slice.Tensor, (2, 0, 3), STREAM, ((BATCH,), (TOKENS,), (3,))),
        (aten.mean.dim, ([1],), STREAM, ((BATCH,), (8,))),
        (aten.mean.dim, ([1], True), ((BATCH,), PATCHES, (8,)), ((BATCH,), (), (8,))),
        (aten.amax.default, ([1],), STREAM, ((BATCH,), (8,))),
        (aten.softmax.int, (-1,), ((BATCH,), (TOKENS,), (TOKENS,)), ((BATCH,), (TOKENS,), (TOKENS,))),
        (aten.adaptive_avg_pool1d.default, ([1],), ((BATCH,), (8,), (TOKENS,)), ((BATCH,), (8,), ())),
        (aten.layer_norm.default, ([8],), STREAM, STREAM),
        (aten.glu.default, (-1,), STREAM, ((BATCH,), (TOKENS,), (4,))),
        (aten.linalg_vector_norm.default, (2, [-1], True), HEADS, ((BATCH,), (2,), (TOKENS,), ())),
    ],
)
def test_axes_of_results(target: Any, arguments: tuple[Any, ...], axes: Axes, after: Axes) -> None:
    assert ruled(target, *arguments, axes=axes).axes == after


def test_sizes_of_a_reshape_follow_the_tokens() -> None:
    found = ruled(aten.view.default, [2, 17, 2, 4])
    assert found.axes == ((BATCH,), (TOKENS,), (2,), (4,))
    assert found.arguments is not None
    assert found.arguments[1] == [Size((BATCH,)), Size((TOKENS,)), Size((2,)), Size((4,))]


def test_parts_of_channels_and_of_tokens() -> None:
    assert ruled(aten.chunk.default, 2, -1).parts == (((BATCH,), (TOKENS,), (4,)),) * 2
    found = ruled(aten.split_with_sizes.default, [1, 16], 1)
    assert found.parts == (((BATCH,), (), (8,)), ((BATCH,), PATCHES, (8,)))
    assert found.arguments is not None
    assert found.arguments[1] == [Size(()), Size(PATCHES)]
    assert found.reads == 0


@pytest.mark.parametrize(("arguments", "reads"), [((1, 0), 0), ((2, 0), None)])
def test_what_the_head_reads_is_told(arguments: tuple[int, int], reads: int | None) -> None:
    assert ruled(aten.select.int, *arguments).reads == reads


def test_products() -> None:
    keys: Axes = ((BATCH,), (2,), (4,), (TOKENS,))
    scores: Axes = ((BATCH,), (2,), (TOKENS,), (TOKENS,))
    assert ruled(aten.matmul.default, "second", axes=HEADS, second=keys).axes == scores
    assert ruled(aten.matmul.default, "second", axes=scores, second=HEADS, softmax=True).axes == HEADS
    with pytest.raises(Unknown, match="without a softmax"):
        ruled(aten.matmul.default, "second", axes=scores, second=HEADS)
    with pytest.raises(Unknown, match="without a softmax"):
        ruled(aten.matmul.default, "second", axes=keys, second=HEADS)


def test_the_parts_of_a_prefix_and_its_patches_can_be_joined_again() -> None:
    graph = fx.Graph()
    prefix, patches = graph.placeholder("prefix"), graph.placeholder("patches")
    node = graph.call_function(aten.cat.default, ([prefix, patches], 1))
    rules = {prefix: Ruled(((BATCH,), (), (8,))), patches: Ruled(((BATCH,), PATCHES, (8,)))}
    assert rule(node, Known(rules, {}, COUNTS, PREFIX, ())).axes == STREAM
    rules[patches] = Ruled(STREAM)
    with pytest.raises(Unknown, match="further tokens are concatenated"):
        rule(node, Known(rules, {}, COUNTS, PREFIX, ()))


@pytest.mark.parametrize(
    ("target", "arguments", "axes", "cause"),
    [
        (aten.view.default, ([2, 4, 4, 8],), ((BATCH,), PATCHES, (8,)), "cut into groups"),
        (aten.select.int, (1, 3), STREAM, "picked by its place"),
        (aten.select.int, (1, -1), STREAM, "picked by its place"),
        (aten.slice.Tensor, (1, 0, 5), STREAM, "picked by their places"),
        (aten.slice.Tensor, (1, 0, TO_THE_END, 2), STREAM, "picked by their places"),
        (aten.roll.default, ([1], [1]), STREAM, "shifts windows"),
        (aten.sum.dim_IntList, ([1],), STREAM, "sum over tokens"),
        (aten.mean.dim, ([1, 2],), STREAM, "over more than the tokens"),
        (aten.layer_norm.default, ([17, 8],), STREAM, "a norm over tokens"),
        (aten.cumsum.default, (1,), STREAM, "no rule is known for cumsum"),
    ],
)
def test_ops_that_need_the_places_of_tokens_are_refused(
    target: Any, arguments: tuple[Any, ...], axes: Axes, cause: str
) -> None:
    with pytest.raises(Unknown, match=cause):
        ruled(target, *arguments, axes=axes)


def test_broadcasting() -> None:
    assert broadcast(STREAM, ((8,),), ()) == STREAM
    assert broadcast(((BATCH,), (), (8,)), STREAM) == STREAM
    with pytest.raises(Unknown, match="rotary"):
        broadcast(STREAM, ((), (17,), (8,)))
    with pytest.raises(Unknown, match="relative position bias"):
        broadcast(((BATCH,), (TOKENS,), (TOKENS,)), ((), (17,), (17,)))


def test_moves_keep_values_and_arithmetic_does_not() -> None:
    assert keeps_values(called(aten.transpose.int, 0, 1))
    assert not keeps_values(called(aten.gelu.default))
