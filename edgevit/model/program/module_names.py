"""Maps the layers of an artifact to modules of the PyTorch model, since every format has names of its own."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgevit.results.graph import Graph

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from edgevit.model.program.layers import Layer

_BESIDE = 0.02
"""Share of a layer's weights below which a layer behind it, which the program does not have, is a part of it that a rewrite split off."""
_WRAPPER = "module"
"""First part of every path, from :func:`edgevit.model.program.capture.capture`."""


@dataclass(frozen=True)
class ModuleLayer:
    """A convolution or linear layer of a captured program."""

    module: str
    """Path such as "blocks.7.mlp.fc2"; for layers that cannot be told apart, such as query, key and value, the path of
    the module that holds all of them; "" if there is none."""
    macs: int
    """Of one inference."""
    weights: int
    """Number of values of the weight, without the bias."""

    @property
    def size(self) -> tuple[int, int]:
        """MACs and number of weights, which are the same in every format."""
        return self.macs, self.weights


def module_layers(program: ExportedProgram) -> tuple[ModuleLayer, ...]:
    """Returns the layers of a captured program, in execution order."""
    from edgevit.model.program.layers import find_layers

    layers = find_layers(program.module())
    sizes = [layer.size for layer in layers]
    paths = [_path(layer) for layer in layers]
    found = []
    for members in _indistinct(sizes, _before(layers)):
        path = _common([paths[index] for index in members])
        found += [(index, ModuleLayer(path, *sizes[index])) for index in members]
    return tuple(layer for _, layer in sorted(found, key=lambda pair: pair[0]))


def modules_of(graph: Graph, known: Sequence[ModuleLayer]) -> tuple[str, ...]:
    """Returns the module path of each layer of an artifact.

    Layers of the same size keep the order that they have in the program, since no runtime runs a layer before its inputs
    exist.

    Args:
        graph: Of a float artifact.
        known: The layers of the program that it was exported from.

    Returns:
        One path for each of ``graph.layers``; all "" unless both have the same number of layers of every size.
    """
    sizes = [(op.macs, graph.weights_of(op)) for op in graph.layers]
    if Counter(sizes) != Counter(layer.size for layer in known):
        return ("",) * len(sizes)
    paths = defaultdict(list)
    for layer in reversed(known):
        paths[layer.size].append(layer.module)
    return tuple(paths[size].pop() for size in sizes)


def aligned_modules(weights: Sequence[int], known: Sequence[ModuleLayer]) -> tuple[str, ...]:
    """Returns the module path of each layer of a graph in which rewrites may have split layers.

    A layer that was split, such as query, key and value, keeps its place and its number of weights.

    Args:
        weights: Number of weights of each layer, in execution order.
        known: The layers of the program before the rewrites.

    Returns:
        One path for each layer; all "" where the numbers do not follow each other so.
    """
    found: list[str] = []
    waiting = list(weights)[::-1]
    left = 0
    for layer, following in zip(known, (*known[1:], None), strict=True):
        left = layer.weights
        while waiting and left > 0:
            left -= waiting.pop()
            found.append(layer.module)
        if left:
            break
        is_next = following.weights if following else 0
        while waiting and waiting[-1] != is_next and waiting[-1] < _BESIDE * layer.weights:
            waiting.pop()  # a few neurons beside it, in other numbers
            found.append(layer.module)
    return tuple(found) if len(found) == len(weights) and known and not left else ("",) * len(weights)


def is_in_module(path: str, module: str) -> bool:
    """Returns whether a layer belongs to a module of the original model, which others may be wrapped around.

    Args:
        path: Of the layer's module, such as "vit.blocks.7.mlp.fc2".
        module: Such as "blocks.7.mlp.fc2", or "blocks.7" for all in it.
    """
    return f".{module}." in f".{path}."


def _path(layer: Layer) -> str:
    """From the name of the weight; for a weight made by folding, from the module that computed the layer."""
    from edgevit.model.program.layers import argument

    owner, _, name = str(getattr(argument(layer.node, 1, "weight"), "target", "")).rpartition(".")
    if name != "weight":
        running = [path for path, _ in layer.node.meta.get("nn_module_stack", {}).values()]
        owner = running[-1] if running else ""
    wrapper, _, path = owner.partition(".")
    return path if wrapper == _WRAPPER else ""


def _before(layers: Sequence[Layer]) -> list[int]:
    """For each layer, the layers that its input depends on, as a bit set."""
    numbers = {layer.node: number for number, layer in enumerate(layers)}
    reached: dict[object, int] = {}
    for node in layers[0].node.graph.nodes if layers else ():
        reached[node] = 0
        for source in node.all_input_nodes:
            reached[node] |= reached[source] | (1 << numbers[source] if source in numbers else 0)
    return [reached[layer.node] for layer in layers]


def _indistinct(sizes: Sequence[tuple[int, int]], before: Sequence[int]) -> list[list[int]]:
    """Groups of layers of one size whose order another format may change, as neither depends on the other's result."""
    groups: list[list[int]] = []
    for index, size in enumerate(sizes):
        joined = [
            group for group in groups if any(sizes[other] == size and not before[index] >> other & 1 for other in group)
        ]
        groups = [group for group in groups if group not in joined] + [[*itertools.chain(*joined), index]]
    return groups


def _common(paths: list[str]) -> str:
    """The longest path that all have in common."""
    names = zip(*(path.split(".") for path in paths), strict=False)
    return ".".join(same[0] for same in itertools.takewhile(lambda one: len(set(one)) == 1, names))
