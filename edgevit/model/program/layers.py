"""Convolutions and linear layers of a captured graph: finding them, changing their parameters, running the graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import fx, nn
from torch.export import ExportedProgram

from edgevit.errors import UsageError
from edgevit.model.program.derived import Derived, keeps_derivations
from edgevit.model.program.outputs import as_rows

LINEAR = torch.ops.aten.linear.default
CONVOLUTIONS = (torch.ops.aten.conv1d.default, torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding)


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer whose parameters are constants."""

    node: fx.Node
    weight: torch.Tensor
    """float32 [out, in / groups, *kernel]."""
    bias: torch.Tensor | None
    """float32 [out]."""
    groups: int

    @property
    def size(self) -> tuple[int, int]:
        """MACs of one inference and number of weights, which are the same in every format."""
        weights = self.weight.numel()
        return self.node.meta["val"].numel() // len(self.weight) * weights, weights

    def input_channels(self) -> torch.Tensor:
        """Returns the index of the input channel that each weight reads, int64 [out, in / groups]."""
        outputs, inputs = self.weight.shape[:2]
        group = torch.arange(outputs).div(outputs // self.groups, rounding_mode="floor")
        return group[:, None] * inputs + torch.arange(inputs)


def find_layer(module: fx.GraphModule, node: fx.Node) -> Layer | None:
    """Returns the layer that a node computes, or None for any other node."""
    if node.op != "call_function" or node.target not in (LINEAR, *CONVOLUTIONS):
        return None
    weight_node, bias_node = argument(node, 1, "weight"), argument(node, 2, "bias")
    weight, bias = constant(module, weight_node), constant(module, bias_node)
    if weight is None or (bias is None) != (bias_node is None):
        return None
    groups = 1 if node.target is LINEAR else argument(node, 6, "groups") or 1
    return Layer(node, weight, bias, groups)


def find_layers(module: fx.GraphModule) -> list[Layer]:
    """Returns all layers of a graph, in execution order."""
    return [layer for layer in (find_layer(module, node) for node in module.graph.nodes) if layer]


def argument(node: fx.Node, position: int, name: str) -> Any:
    """Returns an argument of a node, given by position or by name; None when it is not given."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name)


def constant(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    """Returns the value, of any shape and dtype, of a node that is or depends on parameters alone; None for any other."""
    if not isinstance(node, fx.Node) or not _is_constant(node):
        return None
    value = _evaluate(module, node)
    if not isinstance(value, torch.Tensor):
        return None
    return Derived(value, node) if keeps_derivations(module) else value


def _evaluate(module: fx.GraphModule, node: fx.Node) -> Any:
    """The value of a node that depends on parameters alone."""
    if node.op == "get_attr":
        owner: Any = module
        for part in str(node.target).split("."):
            owner = getattr(owner, part)
        return cast(torch.Tensor, owner).detach()
    arguments, keywords = fx.node.map_arg((node.args, node.kwargs), lambda inner: _evaluate(module, inner))
    with torch.no_grad():
        return cast(Any, node.target)(*arguments, **keywords)


def _is_constant(node: fx.Node) -> bool:
    if node.op == "get_attr":
        return True
    if not isinstance(node.target, torch._ops.OpOverload) or node.target._schema.is_mutable:
        return False
    return bool(node.all_input_nodes) and all(map(_is_constant, node.all_input_nodes))


def set_parameters(module: fx.GraphModule, node: fx.Node, first: int, **values: torch.Tensor | None) -> None:
    """Gives a node parameters of its own; other nodes that read the old ones keep them.

    Args:
        module: The graph that holds the node.
        node: A call to an ATen op.
        first: Position of the first of these arguments; the others follow it.
        values: The arguments by name, in their order; any float type, rounded to float32 here.
    """
    with module.graph.inserting_before(node):
        parameters = [None if value is None else attach(module, value) for value in values.values()]
    node.args = (*node.args[:first], *parameters, *node.args[first + len(values) :])
    node.kwargs = {key: value for key, value in node.kwargs.items() if key not in values}


def attach(module: fx.GraphModule, value: torch.Tensor) -> fx.Node:
    """Adds a parameter at the insertion point and returns its node; in a graph that keeps derivations, what computes it.

    Args:
        module: The graph to add to.
        value: Any shape and float dtype; is copied, and rounded to float32.

    Raises:
        ValueError: the graph keeps derivations, and the value does not follow from its parameters.
    """
    if keeps_derivations(module):
        if not isinstance(value, Derived):
            raise ValueError("this constant does not follow from the parameters of the graph")
        return cast(Derived, value.to(torch.float32)).node(module.graph)
    name = next(name for name in map("_derived_{}".format, itertools.count()) if not hasattr(module, name))
    parameter = nn.Parameter(value.detach().to(torch.float32, copy=True), requires_grad=False)
    module.register_parameter(name, parameter)
    node = module.graph.get_attr(name)
    node.meta["val"] = parameter
    return node


def export_again(module: fx.GraphModule, program: ExportedProgram) -> ExportedProgram:
    """Exports a program's changed graph, without the parameters that nothing reads any more.

    Args:
        module: What ``program.module()`` returned, changed since.
        program: The program before the change; left as it is.

    Raises:
        UsageError: the program was saved without example inputs.
    """
    if program.example_inputs is None:
        raise UsageError("the program was saved without example inputs", "capture the model again")
    module.graph.eliminate_dead_code()
    read = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    for name in [name for name, _ in module.named_parameters(remove_duplicate=False) if name not in read]:
        owner, _, last = name.rpartition(".")
        delattr(module.get_submodule(owner), last)
    module.recompile()
    return torch.export.export(module, program.example_inputs[0])


def run_images(
    module: fx.GraphModule,
    images: np.ndarray,
    watched: Collection[fx.Node] = (),
    see: Callable[[fx.Node, torch.Tensor, torch.Tensor], None] = lambda node, read, made: None,
) -> torch.Tensor:
    """Runs a graph over images, one at a time.

    Args:
        module: float32 [1, 3, h, w] to logits [1, classes], or to named outputs.
        images: float32 [n, 3, h, w], preprocessed.
        watched: Nodes to observe; none of them may be an in-place op.
        see: Called with each of them, its first argument and its result, before anything can overwrite them.

    Returns:
        Logits float32 [n, classes]; of named outputs their values, float32 [n, values].

    Raises:
        UsageError: there are no images.
    """
    if not len(images):
        raise UsageError("no calibration images", "give --calibration")
    interpreter, device = _Watcher(module, watched, see), device_of(module)
    with torch.inference_mode():
        return torch.cat([as_rows(interpreter.run(torch.tensor(image[None], device=device))) for image in images])


def device_of(module: nn.Module) -> torch.device:
    """Returns where the parameters of a module are; the processor for one without."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


class _Watcher(fx.Interpreter):
    def __init__(
        self,
        module: fx.GraphModule,
        watched: Collection[fx.Node],
        see: Callable[[fx.Node, torch.Tensor, torch.Tensor], None],
    ) -> None:
        super().__init__(module)
        self._watched, self._see = set(watched), see

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self._watched:
            self._see(n, self.env[cast(fx.Node, n.args[0])], result)
        return result
