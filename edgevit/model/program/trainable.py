"""A model as training runs it: mapped over a batch, with the values that its last layers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_map_only

from edgevit.model.program.derived import keep_derivations
from edgevit.model.program.fold import fold_batch_norm
from edgevit.model.program.functional import without_writes
from edgevit.model.program.layers import CONVOLUTIONS, LINEAR, argument
from edgevit.model.program.mapped import MappedInterpreter
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


def capture_for_training(module: nn.Module, input_size: tuple[int, int], channels: int = 3) -> ExportedProgram:
    """Captures a classifier for one image, unfolded, so that its parameters keep their names.

    In eval mode: dropout does nothing, and batch normalization uses its statistics, which stay as they are.

    Args:
        module: float32 [1, channels, h, w] to logits float32 [1, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.
        channels: Of the images.

    Raises:
        UsageError: torch.export cannot capture it.
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(1, channels, *input_size, generator=generator)
    with user_code("torch.export cannot capture the model for training", "--finetune none leaves fine-tuning out"):
        return torch.export.export(module, (example,))


class Trainable:
    """A captured program that gives features beside the logits, and gradients for its parameters."""

    def __init__(self, program: ExportedProgram) -> None:
        self.graph = program.module()
        keep_derivations(self.graph)
        without_writes(self.graph.graph)  # the gradient of an op may need what would be overwritten
        self.graph.recompile()
        fold_batch_norm(self.graph)  # as artifacts have it; the weights are computed from the parameters anew each time
        self._read = frozenset(_read_by_last_layers(self.graph.graph))

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """By the names that they have in the module that was captured."""
        return dict(self.graph.named_parameters())

    def move_to(self, device: str) -> None:
        """Moves all that the graph holds, the constants among the arguments of its nodes included.

        Args:
            device: As torch names it.
        """
        place = torch.device(device)
        self.graph.to(place)

        def move(part: Tensor | torch.device) -> Tensor | torch.device:
            return part.to(place) if isinstance(part, Tensor) else place

        for node in self.graph.graph.nodes:
            node.args, node.kwargs = tree_map_only((Tensor, torch.device), move, (node.args, node.kwargs))

    def __call__(self, images: Tensor) -> Outputs:
        """Runs a batch, each image by itself.

        Args:
            images: float32 [b, 3, h, w].
        """
        logits, features = cast(Any, torch.vmap(self._run))(images)
        return Outputs(logits, tuple(features))

    def _run(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        run = _Recorder(self.graph, self._read)
        logits = cast(Tensor, run.run(image.unsqueeze(0)))
        return logits[0], [value[0] for value in run.seen]


class _Recorder(MappedInterpreter):
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
