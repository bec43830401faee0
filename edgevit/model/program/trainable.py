"""A model as training runs it: captured for batches, with the values that its last layers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from edgevit.model.program.layers import CONVOLUTIONS, LINEAR, argument
from edgevit.model.user_code import user_code

_LAST_LAYERS = (LINEAR, *CONVOLUTIONS, torch.ops.aten.addmm.default, torch.ops.aten.matmul.default)


@dataclass(frozen=True)
class Outputs:
    """What a batch of images becomes."""

    logits: Tensor
    """float32 [b, classes]."""
    features: tuple[Tensor, ...]
    """What the layers that give the logits read, float32 [b, ...]: the class token after the last norm, or the pooled
    vector; two of a model with two heads."""


def capture_for_training(module: nn.Module, input_size: tuple[int, int], batch: int) -> ExportedProgram:
    """Captures a classifier for batches of one size, unfolded, so that its parameters keep their names.

    In eval mode: dropout does nothing, and batch normalization uses its statistics, which stay as they are.

    Args:
        module: float32 [b, 3, h, w] to logits float32 [b, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.
        batch: Images in each batch, at least 2.

    Raises:
        UsageError: torch.export cannot capture it for batches.
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(batch, 3, *input_size, generator=generator)
    hint = "its forward may not depend on the number of images in a batch; --finetune none leaves fine-tuning out"
    with user_code("torch.export cannot capture the model for training", hint):
        return torch.export.export(module, (example,))


class Trainable:
    """A captured program that gives features beside the logits, and gradients for its parameters."""

    def __init__(self, program: ExportedProgram) -> None:
        self._graph = program.module()
        self._read = frozenset(_read_by_last_layers(self._graph.graph))

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """By the names that they have in the module that was captured."""
        return dict(self._graph.named_parameters())

    def __call__(self, images: Tensor) -> Outputs:
        """Runs a batch.

        Args:
            images: float32 [b, 3, h, w], as many as the program was captured for.
        """
        run = _Recorder(self._graph, self._read)
        logits = run.run(images)
        return Outputs(cast(Tensor, logits), tuple(run.seen))


class _Recorder(fx.Interpreter):
    """Runs a graph, and keeps the values of some nodes."""

    def __init__(self, graph: fx.GraphModule, kept: frozenset[fx.Node]) -> None:
        super().__init__(graph)
        self.kept = kept
        self.seen: list[Tensor] = []

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n in self.kept:
            self.seen.append(value)
        return value


def _read_by_last_layers(graph: fx.Graph) -> list[fx.Node]:
    """Inputs of the layers that no other layer separates from the output."""
    output = next(node for node in reversed(graph.nodes) if node.op == "output")
    waiting, seen, found = list(output.all_input_nodes), set[fx.Node](), list[fx.Node]()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "call_function" and node.target in _LAST_LAYERS:
            found.append(argument(node, 0, "input"))
        else:
            waiting += node.all_input_nodes
    return found
