"""A captured program for batches of any size: captured for two sizes, compared, and what differs follows the batch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from edgevit.errors import UsageError
from edgevit.model.input_channels import input_channels
from edgevit.model.program.capture import without_fast_paths
from edgevit.model.program.copies import copy_with_shared_weights
from edgevit.model.program.functional import without_writes
from edgevit.model.user_code import user_code
from edgevit.tokens.captured.axes import BATCH, Axes, Length, of_size

FIRST_BATCH, SECOND_BATCH = 2, 3
"""Images of the two captures. A program for one image would not show where the batch is."""

_HINT = "its forward may not depend on the number of images in a batch; --tokens resolution:N and quantization work"


@dataclass(frozen=True)
class BatchSize:
    """An integer argument that follows the batch: ``per_image`` x batch + ``fixed``."""

    per_image: int
    fixed: int


@dataclass(frozen=True)
class BatchProgram:
    """A program of a classifier, captured for ``FIRST_BATCH`` images."""

    module: fx.GraphModule
    """float32 [b, 3, h, w] to logits float32 [b, classes]; its parameters have the names of the captured module."""
    arguments: Mapping[fx.Node, tuple[Any, ...]]
    """Of each call, with :class:`BatchSize` where an integer follows the batch."""
    axes: Mapping[fx.Node, Axes]
    """Of each node that is one tensor; an axis whose size follows the batch is one."""

    @property
    def image(self) -> fx.Node:
        """The input."""
        found: fx.Node = next(iter(self.module.graph.find_nodes(op="placeholder")))
        return found


def capture_batches(
    module: nn.Module, input_size: tuple[int, int], check: Callable[[fx.Graph], object] = lambda graph: None
) -> BatchProgram:
    """Captures a classifier for batches of any size.

    Args:
        module: float32 [b, 3, h, w] to logits float32 [b, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.
        check: Called with the graph of the first capture; what it raises saves the second.

    Raises:
        UsageError: torch.export cannot capture it for batches, or it computes something else for other batches.
    """
    first = _capture(module, input_size, FIRST_BATCH)
    check(first.graph)
    second = _capture(module, input_size, SECOND_BATCH)
    nodes, others = list(first.graph.nodes), list(second.graph.nodes)
    arguments: dict[fx.Node, tuple[Any, ...]] = {}
    axes: dict[fx.Node, Axes] = {}
    if [node.target for node in nodes] != [node.target for node in others]:
        raise UsageError("token reduction: the model computes something else for other numbers of images", _HINT)
    for node, other in zip(nodes, others, strict=True):
        with _told(node):
            arguments[node] = tuple(_compared(ours, theirs) for ours, theirs in zip(node.args, other.args, strict=True))
            if node.kwargs:
                _compared(tuple(node.kwargs.values()), tuple(other.kwargs.values()))
        if isinstance(node.meta.get("val"), torch.Tensor):
            axes[node] = tuple(
                _length(ours, theirs)
                for ours, theirs in zip(node.meta["val"].shape, other.meta["val"].shape, strict=True)
            )
    return BatchProgram(first, arguments, axes)


def _capture(module: nn.Module, input_size: tuple[int, int], batch: int) -> fx.GraphModule:
    example = torch.zeros(batch, input_channels(module), *input_size)
    with (
        user_code(f"torch.export cannot capture the model for {batch} images", _HINT),
        torch.enable_grad(),  # without it, torch may take fused paths that hide attention
        without_fast_paths(),
    ):
        program = torch.export.export(copy_with_shared_weights(module), (example,))
        captured = program.module()
        if not without_writes(captured.graph):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of torch's own code
                captured = program.run_decompositions({}).module()
    assert isinstance(captured, fx.GraphModule)
    for node in [node for node in captured.graph.nodes if node.op == "call_module" or _asserts(node)]:
        captured.graph.erase_node(node)  # checks of the example's shape
    captured.graph.eliminate_dead_code()
    return captured


def _asserts(node: fx.Node) -> bool:
    return node.op == "call_function" and "assert" in str(node.target) and not node.users


@contextlib.contextmanager
def _told(node: fx.Node) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(f"token reduction: {node.target} depends on the number of images: {error}", _HINT) from error


def _compared(ours: Any, theirs: Any) -> Any:
    """An argument for ``FIRST_BATCH`` images, compared with that for ``SECOND_BATCH``."""
    if isinstance(ours, list | tuple):
        return [_compared(*pair) for pair in zip(ours, theirs, strict=True)]
    if isinstance(ours, fx.Node) or ours == theirs or ours != ours:
        return ours
    if not isinstance(ours, int) or not isinstance(theirs, int):
        raise ValueError(f"{ours} for {FIRST_BATCH}, {theirs} for {SECOND_BATCH}")
    per_image = (theirs - ours) // (SECOND_BATCH - FIRST_BATCH)
    return BatchSize(per_image, ours - per_image * FIRST_BATCH)


def _length(ours: int, theirs: int) -> Length:
    return of_size(ours) if ours == theirs else (BATCH, *of_size(ours // FIRST_BATCH))
