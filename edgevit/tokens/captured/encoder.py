"""Finds the encoder in a classifier: its blocks of softmax attention, its tokens, and what its head reads."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import fx, nn

from edgevit.errors import UsageError
from edgevit.model.program.capture import merges_blocks
from edgevit.model.program.layers import argument
from edgevit.model.program.nodes import is_call, shape
from edgevit.tokens.captured.attention import (
    Attention,
    find_attention,
    other_scores,
    prefix_tokens,
    reads_values,
    residual_add,
)
from edgevit.tokens.captured.axes import BATCH, TOKENS, Axes, Counts, has_tokens, of_size, token_axes
from edgevit.tokens.captured.batches import FIRST_BATCH, BatchProgram, capture_batches
from edgevit.tokens.captured.rules import SOFTMAX, Known, Ruled, Unknown, keeps_values, rule

_HINT = "what works here is a smaller image, --tokens resolution:N, and quantization"


@dataclass(frozen=True)
class EncoderBlock:
    """A block whose attention goes over all tokens."""

    attention: Attention
    entering: fx.Node
    """Residual stream before it."""
    joined: fx.Node
    """Residual stream with the result of its attention added."""


@dataclass(frozen=True)
class Encoder:
    """A classifier whose tokens can become fewer in every block."""

    program: BatchProgram
    rules: Mapping[fx.Node, Ruled]
    """Of the calls that depend on what enters the first block, with the axes of their results."""
    blocks: tuple[EncoderBlock, ...]
    prefix: int
    """Tokens before those of the image's patches: class token, distillation token, registers."""
    patches: int
    tokens_first: bool
    """Whether the residual stream is [tokens, batch, channels]; else [batch, tokens, channels]."""
    channels: int
    """Of the residual stream."""
    reader: int | None
    """Place of the first prefix token that the head reads; None where it reads none."""

    @property
    def tokens(self) -> int:
        """Number of tokens that enter the first block."""
        return self.prefix + self.patches


_FOUND: weakref.WeakKeyDictionary[nn.Module, tuple[tuple[int, int], Encoder]] = weakref.WeakKeyDictionary()
"""Of modules that are still in use: capturing a large one takes seconds, and a run asks for it several times."""


def find_encoder(module: nn.Module, input_size: tuple[int, int]) -> Encoder:
    """Finds the encoder in a classifier.

    Args:
        module: float32 [b, 3, h, w] to logits float32 [b, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.

    Raises:
        UsageError: it has none, or the places of tokens in the image matter behind the first block; says where and why.
    """
    known = _FOUND.get(module)
    if known is None or known[0] != input_size:
        with _refusals(module):
            known = _FOUND[module] = (input_size, _find(module, input_size))
    return known[1]


@contextmanager
def _refusals(module: nn.Module) -> Iterator[None]:
    try:
        yield
    except Unknown as cause:
        raise UsageError(
            f"token reduction needs an encoder of softmax-attention blocks, and {type(module).__name__} is none: {cause}",
            _HINT,
        ) from cause


def _find(module: nn.Module, input_size: tuple[int, int]) -> Encoder:
    program = capture_batches(module, input_size, _first_attention)
    graph = program.module.graph
    first = _first_attention(graph)
    _, stream = residual_add(first, graph)
    tokens_first = _tokens_first(stream, program)
    place = 0 if tokens_first else 1
    tokens, attending = shape(stream)[place], shape(first.query)[first.query_order[-2]]
    if attending != tokens:
        raise Unknown(
            f"attention goes over {attending} of {tokens} tokens, as in windows, or over channels{_where(first.node)}"
        )
    prefix = prefix_tokens(stream, place, _behind(program.image))
    if tokens - prefix < 2:
        raise Unknown(f"it has {tokens - prefix} patch tokens")
    batch, channels = (BATCH,), of_size(shape(stream)[-1])
    axes: Axes = ((TOKENS,), batch, channels) if tokens_first else (batch, (TOKENS,), channels)
    rules = _rules(program, stream, axes, prefix)
    blocks = _blocks(graph, rules, axes)
    _check_segments(graph, rules, blocks)
    if merges_blocks(module):
        raise Unknown("it has branches that are merged before export")
    reader = next((each.reads for each in rules.values() if each.reads is not None), None)
    return Encoder(program, rules, blocks, prefix, tokens - prefix, tokens_first, shape(stream)[-1], reader)


def _first_attention(graph: fx.Graph) -> Attention:
    """Returns the first attention among tokens.

    Raises:
        Unknown: there is none.
    """
    found = next((each for each in map(find_attention, graph.nodes) if each and _is_among_tokens(each)), None)
    if found is None:
        raise Unknown(next(filter(None, map(_unknown_scores, graph.nodes)), "it has no softmax attention among tokens"))
    return found


def _unknown_scores(node: fx.Node) -> str:
    cause = other_scores(node)
    return cause and f"{cause}{_where(node)}"


def _is_among_tokens(found: Attention) -> bool:
    queries, keys = shape(found.query)[found.query_order[-2]], shape(found.keys)[found.keys_order[-2]]
    return queries == keys > 1 and reads_values(found)


def _tokens_first(stream: fx.Node, program: BatchProgram) -> bool:
    axes = program.axes[stream]
    if len(axes) != 3:
        raise Unknown(f"its tokens lie on a grid, {' x '.join(map(str, shape(stream)[1:]))}{_where(stream)}")
    if (BATCH,) not in axes[:2]:
        raise Unknown(f"its tokens are cut into groups, as windows are{_where(stream)}")
    return axes[1] == (BATCH,)


def _behind(start: fx.Node) -> set[fx.Node]:
    """All nodes that depend on one, and itself."""
    found = {start}
    for node in start.graph.nodes:
        if any(value in found for value in node.all_input_nodes):
            found.add(node)
    return found


def _rules(program: BatchProgram, stream: fx.Node, axes: Axes, prefix: int) -> dict[fx.Node, Ruled]:
    """Follows the tokens from the first block to the logits."""
    place = token_axes(axes)[0]
    found = {stream: Ruled(axes)}
    over_softmax: set[fx.Node] = set()
    known = Known(found, program.axes, Counts(FIRST_BATCH, shape(stream)[place]), prefix, over_softmax)
    for node in program.module.graph.nodes:
        if node in found or not any(value in found for value in node.all_input_nodes):
            continue
        if node.op == "output":
            if any(token_axes(known.of(value)) for value in node.all_input_nodes):
                raise Unknown("its output has a value for each token")
            continue
        try:
            found[node] = rule(node, known)
        except Unknown as cause:
            raise Unknown(f"{cause}{_where(node)}") from cause
        if _is_softmax_over_tokens(node, known) or (keeps_values(node) and node.all_input_nodes[0] in over_softmax):
            over_softmax.add(node)
    return found


def _is_softmax_over_tokens(node: fx.Node, known: Known) -> bool:
    return is_call(node, *SOFTMAX) and has_tokens(known.of(node)[int(argument(node, 1, "dim"))])


def _where(node: fx.Node) -> str:
    """The module that a call is in, as far as it is known."""
    stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values() if path]
    return f" (in {stack[-1]})" if stack else ""


def _blocks(graph: fx.Graph, rules: Mapping[fx.Node, Ruled], axes: Axes) -> tuple[EncoderBlock, ...]:
    """Blocks whose attention goes from all tokens to all tokens; others, such as a pooling head's, are none."""
    found = []
    for node in rules:
        if (cause := _unknown_scores(node)) and rules[node].axes[-2:] == ((TOKENS,), (TOKENS,)):
            raise Unknown(cause)
    for attention in filter(None, map(find_attention, graph.nodes)):
        ends = (attention.query, attention.query_order), (attention.keys, attention.keys_order)
        if all(node in rules and rules[node].axes[order[-2]] == (TOKENS,) for node, order in ends):
            joined, entering = residual_add(attention, graph)
            if rules[joined].axes != axes or entering not in rules:
                raise Unknown(f"the result of an attention joins no residual stream{_where(attention.node)}")
            found.append(EncoderBlock(attention, entering, joined))
    return tuple(found)


def _check_segments(graph: fx.Graph, rules: Mapping[fx.Node, Ruled], blocks: tuple[EncoderBlock, ...]) -> None:
    """Refuses models that read tokens from before the attention of a block behind it."""
    numbers = {block.joined: number for number, block in enumerate(blocks, start=1)}
    segments: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node not in rules or node.op == "output":
            continue
        read = {segments[value] for value in node.all_input_nodes if value in segments}
        if len(read) > 1:
            raise Unknown(
                f"tokens from before the attention of block {max(read)} are read again behind it{_where(node)}"
            )
        if any(token_axes(axes) for axes in (rules[node].axes, *rules[node].parts)):
            segments[node] = numbers.get(node, max(read, default=0))
