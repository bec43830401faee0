"""Finds the ops of a graph that choose among tokens: quantizers have to leave them alone.

They compute with ranks, differences of scores made steep, and zeros and ones; an int8 step there picks other tokens, or
mixes them, and the model is lost. Exporters and rewrites keep no name of the module that an op is from, so the ops are
known by what they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from edgevit.results.graph import Graph, Op

_MAXIMA = ("REDUCE_MAX", "ARG_MAX", "ReduceMax", "ArgMax")
_ARITHMETIC = ("elementwise", "activation", "reduction", "reshape", "layout")
_MOVES = ("reshape", "layout", "quantize")


def token_selection_ops(graph: Graph) -> tuple[str, ...]:
    """Names of the ops that choose tokens, in the order in which they run.

    These are products of two activations outside attention (choices as matrices), products whose result a maximum is
    taken of (similarities) and the attention of a class token that scores tokens, with the arithmetic from the one to
    the other and what serves similarities alone. Empty for a model that keeps all tokens.
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


def touched_selection(graph: Graph) -> tuple[str, ...]:
    """Products among the ops that choose tokens that a quantizer did not leave in float."""
    chosen = set(token_selection_ops(graph))
    return tuple(op.name for op in graph.ops if op.name in chosen and op.macs and op.numerics != "float")


class _Walk:
    """Goes from op to op along the tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._readers: dict[str, list[Op]] = {}
        for op in graph.ops:
            for name in op.inputs:
                self._readers.setdefault(name, []).append(op)

    def multiplies_activations(self, op: Op) -> bool:
        return sum(not self._graph.tensor[name].constant for name in op.inputs) > 1

    def attention_of(self, op: Op) -> set[str]:
        """Both products of an attention that starts with this one; none if it does not start one."""
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
        """Names of the ops of these kinds that results reach, up to where larger values that do not stem from them join.

        Those are the tokens: with them the way would lead on to all that comes after.
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
        """Names of the ops of these kinds whose results serve nothing but these ops."""
        goal_names = {op.name for op in goals}
        found: set[str] = set()
        for op in reversed(self._graph.ops):
            readers = [reader.name for name in op.outputs for reader in self._readers.get(name, ())]
            if op.kind in through and readers and found | goal_names >= set(readers):
                found.add(op.name)
        return found

    def _forward(self, start: Op, through: Callable[[Op], bool]) -> list[Op]:
        """The ops that an op's result reaches by way of ops that may be gone through, and are so themselves."""
        found: dict[str, Op] = {}
        waiting = [start]
        while waiting:
            for op in (reader for name in waiting.pop().outputs for reader in self._readers.get(name, ())):
                if op.name not in found and through(op):
                    found[op.name] = op
                    waiting.append(op)
        return list(found.values())

    def _next(self, op: Op, through: tuple[str, ...]) -> list[Op]:
        """The first ops behind this one that are not of kinds to be gone through, while the number of values stays."""
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
