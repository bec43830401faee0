"""Finds the ops of a graph that select tokens, which quantizers have to keep in float.

They compute with ranks, scaled differences of scores, and zeros and ones; rounding to int8 there selects other tokens, or
mixes them, and accuracy collapses. Exporters and rewrites keep no name of the module that an op comes from, so the ops
are recognized by what they compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from edgevit.results.graph import Graph, Op

_MAXIMA = ("REDUCE_MAX", "ARG_MAX", "ReduceMax", "ArgMax")
_ARITHMETIC = ("elementwise", "activation", "reduction", "reshape", "layout")
_MOVES = ("reshape", "layout", "quantize")


def token_selection_ops(graph: Graph) -> tuple[str, ...]:
    """Returns the names of the ops that select tokens, in execution order.

    These are products of two activations outside attention (selection matrices), products over whose result a maximum
    is taken (similarities) and the attention of a class token that scores tokens; also the arithmetic between them, and
    ops that feed similarities alone. Empty for a model that keeps all tokens.
    """
    walk = _Walk(graph)
    products = [op for op in graph.ops if op.kind == "matmul" and walk.multiplies_activations(op)]
    attention = {name for op in products for name in walk.attention_of(op)}
    outside = [op for op in products if op.name not in attention and "Attention" not in op.native]
    scores = [op for op in outside if walk.reaches_softmax(op)]
    similarities = [op for op in outside if walk.reaches_maximum(op)]
    picks = [op for op in graph.ops if op.kind == "topk" or op.native in ("ArgMax", "ARG_MAX")]
    if not similarities and not picks and not scores:
        return ()
    found = {op.name for op in (*outside, *picks)}
    found |= walk.behind((*scores, *similarities), (*_ARITHMETIC, "softmax", "topk"))
    found |= walk.only_for(similarities, _ARITHMETIC)
    return tuple(op.name for op in graph.ops if op.name in found)


def has_attention(graph: Graph) -> bool:
    """Returns whether a graph has attention: a fused op of it, or a softmax that a product of two activations reads.

    Softmax alone is none: classifiers end in it, also before an op that renames their output, and some convolutional networks
    weigh channels by it.
    """
    walk = _Walk(graph)
    return any("Attention" in op.native or (op.kind == "softmax" and walk.is_multiplied(op)) for op in graph.ops)


def touched_selection(graph: Graph) -> tuple[str, ...]:
    """Returns the names of the products among :func:`token_selection_ops` that a quantizer did not keep in float."""
    chosen = set(token_selection_ops(graph))
    return tuple(op.name for op in graph.ops if op.name in chosen and op.macs and op.numerics != "float")


class _Walk:
    """Follows the tensors of a graph from op to op."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._readers: dict[str, list[Op]] = {}
        for op in graph.ops:
            for name in op.inputs:
                self._readers.setdefault(name, []).append(op)

    def multiplies_activations(self, op: Op) -> bool:
        return sum(not self._graph.tensor[name].constant for name in op.inputs) > 1

    def is_multiplied(self, op: Op) -> bool:
        return any(reader.kind == "matmul" and self.multiplies_activations(reader) for reader in self._next(op, _MOVES))

    def attention_of(self, op: Op) -> set[str]:
        """Names of both products of the attention that this one starts; empty if it starts none."""
        first = self._next(op, (*_MOVES, "elementwise"))
        seconds = [
            reader
            for softmax in first
            if softmax.kind == "softmax"
            for reader in self._next(softmax, _MOVES)
            if reader.kind == "matmul"
        ]
        return {op.name, *(second.name for second in seconds)} if seconds else set()

    def reaches_softmax(self, op: Op) -> bool:
        return any(reader.kind == "softmax" for reader in self._next(op, (*_MOVES, "elementwise")))

    def reaches_maximum(self, op: Op) -> bool:
        nexts = self._next(op, (*_MOVES, "elementwise"))
        return any(reader.native in _MAXIMA or reader.kind == "topk" for reader in nexts)

    def behind(self, sources: Iterable[Op], through: tuple[str, ...]) -> set[str]:
        """Names of the ops of these kinds that depend on the sources, up to where a larger tensor from elsewhere joins.

        Such a tensor holds the tokens: beyond it every later op would depend on the sources.
        """
        known = {name for op in sources for name in op.outputs}
        found: set[str] = set()
        for op in self._graph.ops:
            own = [name for name in op.inputs if name in known]
            if not own or op.kind not in through:
                continue
            found.add(op.name)
            others = [name for name in op.inputs if name not in known and not self._graph.tensor[name].constant]
            if max(map(self._size, own)) >= max(map(self._size, others), default=0):
                known.update(op.outputs)
        return found

    def only_for(self, goals: Iterable[Op], through: tuple[str, ...]) -> set[str]:
        """Names of the ops of these kinds whose results only the goals depend on."""
        goal_names = {op.name for op in goals}
        found: set[str] = set()
        for op in reversed(self._graph.ops):
            readers = [reader.name for name in op.outputs for reader in self._readers.get(name, ())]
            if op.kind in through and readers and found | goal_names >= set(readers):
                found.add(op.name)
        return found

    def _forward(self, start: Op, through: Callable[[Op], bool]) -> list[Op]:
        """Ops downstream of an op, reached through ops that satisfy ``through``, as they do themselves."""
        found: dict[str, Op] = {}
        waiting = [start]
        while waiting:
            for op in (reader for name in waiting.pop().outputs for reader in self._readers.get(name, ())):
                if op.name not in found and through(op):
                    found[op.name] = op
                    waiting.append(op)
        return list(found.values())

    def _next(self, op: Op, through: tuple[str, ...]) -> list[Op]:
        """The first ops downstream that are not of the kinds in ``through``, while the number of values stays the same."""
        values = self._values(op)
        passed = [op, *self._forward(op, lambda reader: reader.kind in through and self._values(reader) == values)]
        return [
            reader
            for each in passed
            for name in each.outputs
            for reader in self._readers.get(name, ())
            if reader.kind not in through
        ]

    def _values(self, op: Op) -> int:
        return self._size(op.outputs[0])

    def _size(self, name: str) -> int:
        return math.prod(self._graph.tensor[name].shape)
