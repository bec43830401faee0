"""Writes the graph of an encoder anew for fewer tokens and any batch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from edgevit.errors import UsageError
from edgevit.model.program.layers import argument
from edgevit.model.program.nodes import is_call
from edgevit.spec.token_plan import Form, Site
from edgevit.tokens.captured.attention import Attention, scaled
from edgevit.tokens.captured.axes import Axes, Batch, Length, Tokens, all_tokens, token_axes
from edgevit.tokens.captured.batches import BatchSize
from edgevit.tokens.captured.encoder import Encoder, EncoderBlock
from edgevit.tokens.captured.rules import ATTENTION, MEANS, SOFTMAX, Size
from edgevit.tokens.captured.steps import AttentionStep, KeyWeights, PoolWeights, SiteLayout, SiteStep
from edgevit.tokens.reduction import TokenReduction

_aten = torch.ops.aten
_VIEWS = (_aten.view.default, _aten._unsafe_view.default)
MODEL = "model"
"""Attribute of the module that runs the graph, which holds the captured module."""
STEPS = "steps"
"""The same of the list of the steps that were put in."""


@dataclass(frozen=True)
class Reductions:
    """What becomes of the tokens."""

    method: str
    """Name of a token reduction method."""
    sites: tuple[Site, ...]
    """Blocks and the patch tokens kept, by ascending block."""
    form: Form
    """How the graph selects tokens."""


@dataclass(frozen=True)
class Part:
    """What is written of an encoder; all of it, if nothing is said."""

    first: int | None = None
    """Block whose entering tokens are the input, counted from 1; None for images."""
    streams: tuple[int, ...] = ()
    """Blocks whose entering tokens are outputs."""
    logits: bool = True
    """Whether the logits are an output, behind the streams."""
    entering: int | None = None
    """Tokens that enter ``first``; None where none have left."""
    attention: bool = False
    """Whether query and keys of each block are outputs, too, by heads, the query times all factors of their products."""
    merged: bool = False
    """Whether those tokens stand for several patches each, of some numbers that are not all equal."""


WHOLE = Part()
NO_REDUCTIONS = Reductions("", (), "gather")
_FIXED = "give a fixed plan, such as --tokens tome:8; none can be searched for"


@dataclass(frozen=True)
class Reduced:
    """A graph with fewer tokens."""

    graph: fx.Graph
    """Images float32 [b, 3, h, w], or tokens, to the outputs, and of each site what it decided by: sizes, attention and
    metric."""
    steps: tuple[nn.Module, ...]
    constants: Mapping[str, torch.Tensor]
    """Tensors that the graph reads and the captured module has not, by name."""


@dataclass(frozen=True)
class _Segment:
    """Tokens between two sites, as nodes of the new graph."""

    tokens: int
    sizes: fx.Node | None = None
    log_sizes: fx.Node | None = None


def write_reduced(module: nn.Module, encoder: Encoder, reductions: Reductions, part: Part = WHOLE) -> Reduced:
    """Writes the graph for a number of tokens behind each site.

    Args:
        module: The module in which the encoder was found.
        encoder: Its encoder.
        reductions: Blocks are those of the encoder, also where only a part of it is written.
        part: Of the encoder.

    Raises:
        UsageError: the part reads more than the tokens that enter it.
    """
    nodes = encoder.program.module.graph.nodes
    (logits,) = next(reversed(nodes)).all_input_nodes
    start = encoder.blocks[part.first - 1].entering if part.first else encoder.program.image
    outputs = [encoder.blocks[block - 1].entering for block in part.streams] + ([logits] if part.logits else [])
    wanted = _between(start, outputs)
    if part.first and encoder.program.image in wanted:
        raise UsageError(f"what comes behind block {part.first} reads more than its tokens", _FIXED)
    writer = _Writer(module, encoder)
    blocks = {block.joined: block for block in encoder.blocks}
    at = {encoder.blocks[site.block - 1].joined: (encoder.blocks[site.block - 1], site) for site in reductions.sites}
    for node in (node for node in nodes if node in wanted):
        if node is start:
            writer.begin(node, part)
        else:
            writer.copy(node)
        if part.attention and node in blocks:
            writer.read(blocks[node])
        if node in at:
            block, site = at[node]
            writer.reduce(block, TokenReduction(reductions.method, site.tokens, reductions.form))
    writer.finish(outputs)
    return Reduced(writer.graph, tuple(writer.steps), writer.constants)


def check_cuts(encoder: Encoder) -> None:
    """Refuses an encoder that cannot be cut between its blocks into parts.

    Raises:
        UsageError: it has one block, or a block reads more than the tokens that enter it.
    """
    if len(encoder.blocks) < 2:
        raise UsageError("a search for a token plan needs two blocks of attention, and the model has one", _FIXED)
    (logits,) = next(reversed(encoder.program.module.graph.nodes)).all_input_nodes
    outputs = [*(block.entering for block in encoder.blocks[1:]), logits]
    for number, (block, output) in enumerate(zip(encoder.blocks, outputs, strict=True), start=1):
        if encoder.program.image in _between(block.entering, [output]):
            raise UsageError(f"what comes behind block {number} reads more than its tokens", _FIXED)


def _between(start: fx.Node, outputs: list[fx.Node]) -> set[fx.Node]:
    """Nodes that outputs depend on, but for those before the start."""
    waiting, found = [*outputs, start], set[fx.Node]()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [] if node is start else node.all_input_nodes
    return found


@dataclass
class _Writer:
    """The new graph as far as it is written."""

    module: nn.Module
    encoder: Encoder
    graph: fx.Graph = field(default_factory=fx.Graph)
    steps: list[nn.Module] = field(default_factory=list)
    constants: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._new: dict[fx.Node, fx.Node] = {}
        self._decided: list[fx.Node] = []
        self._batch: fx.Node | None = None
        self._segment = _Segment(self.encoder.tokens)

    def begin(self, node: fx.Node, part: Part) -> None:
        """Adds the input."""
        self._new[node] = self.graph.placeholder("entering" if part.first else "images")
        place = 1 if part.first and self.encoder.tokens_first else 0
        self._batch = self.graph.call_function(_aten.sym_size.int, (self._new[node], place))
        if part.entering is not None:
            weights = self._constant(_log_sizes(part.entering, self.encoder.prefix)) if part.merged else None
            self._segment = _Segment(part.entering, log_sizes=self.graph.get_attr(weights) if weights else None)

    def copy(self, node: fx.Node) -> None:
        """Adds a node of the captured graph behind the input, or a constant."""
        if node.op == "get_attr":
            self._new[node] = self.graph.get_attr(self._attribute(str(node.target)))
        else:
            self._new[node] = self._call(node)

    def finish(self, outputs: list[fx.Node]) -> None:
        """Adds the output."""
        self.graph.output((tuple(self._new[node] for node in outputs), tuple(self._decided)))
        self.graph.lint()

    def reduce(self, block: EncoderBlock, reduction: TokenReduction) -> None:
        """Adds a reduction behind what was added last."""
        layout, query, keys = self._query_and_keys(block.attention)
        before = self._segment
        arguments = (self._new[block.joined], query, keys, before.sizes, before.log_sizes)
        made = self._step(SiteStep(reduction, layout), *arguments)
        parts = [self.graph.call_function(operator.getitem, (made, place)) for place in range(4)]
        self._new[block.joined] = parts[0]
        self._decided.append(parts[3])
        tokens = self.encoder.prefix + reduction.keep
        self._segment = _Segment(tokens, parts[1], parts[2] if reduction.merges else None)

    def read(self, block: EncoderBlock) -> None:
        """Adds query and keys of a block to what the graph tells of its decisions."""
        layout, query, keys = self._query_and_keys(block.attention)
        self._decided.append(self._step(AttentionStep(layout), query, keys))

    def _query_and_keys(self, attention: Attention) -> tuple[SiteLayout, fx.Node, fx.Node]:
        factor, query = self._scaled_query(attention)
        layout = SiteLayout(
            prefix=self.encoder.prefix,
            reader=self.encoder.reader,
            tokens_first=self.encoder.tokens_first,
            query=self._leading(attention.query, attention.query_order),
            keys=self._leading(attention.keys, attention.keys_order),
            scale=factor,
        )
        return layout, query, self._permuted(attention.keys, attention.keys_order)

    def _attribute(self, name: str) -> str:
        """Where the module that runs the graph has what the captured graph reads."""
        captured = _get(self.encoder.program.module, name)
        try:
            if _get(self.module, name).shape == captured.shape:
                return f"{MODEL}.{name}"
        except AttributeError:
            pass
        return self._constant(captured.detach())

    def _constant(self, value: torch.Tensor) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def _call(self, node: fx.Node) -> fx.Node:
        ruled = self.encoder.rules.get(node)
        given = ruled.arguments if ruled and ruled.arguments is not None else self.encoder.program.arguments[node]
        target: Any = (ruled.target if ruled else None) or node.target
        if target in _VIEWS:  # their strides are not those of the captured batch
            target = _aten.reshape.default
        arguments = [self._argument(value) for value in given]
        keywords = dict(fx.node.map_arg(node.kwargs, self._new.__getitem__))
        if ruled:
            self._weigh(node, arguments, keywords)
        return self.graph.call_function(target, tuple(arguments), keywords)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self._argument(each) for each in value]
        if isinstance(value, fx.Node):
            return self._new[value]
        if isinstance(value, Size):
            return self._size(value.length)
        if isinstance(value, BatchSize):
            per_image = self._times_batch(value.per_image)
            return self.graph.call_function(operator.add, (per_image, value.fixed)) if value.fixed else per_image
        return value

    def _size(self, length: Length) -> Any:
        count = 1
        for factor in length:
            if isinstance(factor, Tokens):
                count *= self._segment.tokens - factor.skipped
            elif not isinstance(factor, Batch):
                count *= factor
        return self._times_batch(count) if any(isinstance(factor, Batch) for factor in length) else count

    def _times_batch(self, count: int) -> fx.Node:
        assert self._batch is not None
        return self._batch if count == 1 else self.graph.call_function(operator.mul, (self._batch, count))

    def _weigh(self, node: fx.Node, arguments: list[Any], keywords: dict[str, Any]) -> None:
        """Lets merged tokens count as often as patches went into them."""
        segment = self._segment
        if segment.log_sizes is None:
            return
        if is_call(node, ATTENTION):
            query, keys = (self._axes(value) for value in node.args[:2])
            tokens = all_tokens(keys[-2])
            if tokens:
                scores = (
                    *(one or other for one, other in zip(query[:-2], keys[:-2], strict=True)),
                    query[-2],
                    keys[-2],
                )
                mask = KeyWeights(scores, len(scores) - 1, tokens.skipped)
                keywords["attn_mask"] = self._step(mask, segment.log_sizes)
                del arguments[3:4]
                keywords |= dict(zip(("dropout_p", "is_causal"), arguments[3:], strict=False))
                del arguments[3:]
            return
        if is_call(node, *SOFTMAX, *MEANS):
            axes = self._axes(node.args[0])
            place = self._place(node, axes)
            tokens = all_tokens(axes[place]) if place is not None else None
            if place is None or tokens is None:
                return
            if is_call(node, *SOFTMAX):
                added = self._step(KeyWeights(axes, place, tokens.skipped), segment.log_sizes)
                arguments[0] = self.graph.call_function(_aten.add.Tensor, (arguments[0], added))
            else:
                weights = PoolWeights(axes, place, self.encoder.prefix - tokens.skipped, self.encoder.patches)
                shares = self._step(weights, segment.sizes)
                arguments[0] = self.graph.call_function(_aten.mul.Tensor, (arguments[0], shares))

    def _place(self, node: fx.Node, axes: Axes) -> int | None:
        """The axis of tokens over which a softmax or mean goes."""
        if is_call(node, _aten.adaptive_avg_pool1d.default):
            places: Any = [len(axes) - 1]
        else:
            given = argument(node, 1, "dim")
            places = given if isinstance(given, list | tuple) else [given]
        return next((place for place in token_axes(axes) if place in {int(each) % len(axes) for each in places}), None)

    def _axes(self, value: Any) -> Axes:
        ruled = self.encoder.rules.get(value)
        return ruled.axes if ruled else self.encoder.program.axes[value]

    def _leading(self, node: fx.Node, order: tuple[int, ...]) -> tuple[Length, ...]:
        axes = self._axes(node)
        return tuple(axes[place] for place in order[:-2])

    def _permuted(self, node: fx.Node, order: tuple[int, ...]) -> fx.Node:
        if order == tuple(range(len(order))):
            return self._new[node]
        return self.graph.call_function(_aten.permute.default, (self._new[node], list(order)))

    def _scaled_query(self, attention: Attention) -> tuple[float, fx.Node]:
        """The factor of the products, and the query with all other factors in it."""
        factor, query = attention.scale, self._permuted(attention.query, attention.query_order)
        for scale in attention.scales:
            by = scaled(scale)[1]
            target: Any = scale.target
            if isinstance(by, fx.Node):
                query = self.graph.call_function(target, (query, self._new[by]))
            else:
                factor = factor / by if "div" in str(target) else factor * by
        return factor, query

    def _step(self, step: nn.Module, *arguments: Any) -> fx.Node:
        self.steps.append(step)
        return self.graph.call_module(f"{STEPS}.{len(self.steps) - 1}", arguments)


def _log_sizes(tokens: int, prefix: int) -> torch.Tensor:
    """Log sizes of tokens that stand for 1, 2 or 3 patches, float32 [1, 1, 1, tokens]; equal ones would fold away."""
    sizes = torch.ones(tokens)
    sizes[prefix:] = torch.arange(1, tokens - prefix + 1) % 3 + 1
    return sizes.log()[None, None, None]


def _get(module: nn.Module, name: str) -> torch.Tensor:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]
