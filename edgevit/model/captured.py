"""A model as a captured program in one file: what becomes of a module that was given in memory.

The program is torch's own (``torch.export``, ``.pt2``): ATen operators and weights, without the Python code of the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_unflatten

from edgevit.errors import UsageError
from edgevit.model.program.capture import load_program, save_program
from edgevit.model.program.outputs import largest_difference
from edgevit.model.program.trainable import capture_for_training
from edgevit.model.user_code import user_code
from edgevit.spec.input_file import require_file

_LARGEST_DIFFERENCE = 1e-4
"""Of an output, over its largest value: a larger one is no rounding."""


def load_captured(path: Path) -> nn.Module:
    """Loads a program as a module with the parameters of the model that was captured; it takes one image at a time.

    Args:
        path: Of the file.

    Raises:
        UsageError: there is no such file, it is no program, or it holds what loading might carry out.
    """
    require_file(path, "captured program", "write it with torch.export.save, or give the model in Python")
    with user_code(f"{path} is not a program that torch.export.save wrote", "capture the model again"):
        program = load_program(path)
    exported = program.module()
    graph = fx.Graph()
    outputs = graph.graph_copy(exported.graph, {})
    flat: Any = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
    spec = program.call_spec.out_spec
    assert spec is not None
    given = tree_unflatten(flat, spec)
    graph.output(given[0] if isinstance(given, tuple | list) and len(given) == 1 else given)
    # another module, for exported ones refuse train() and eval(); it computes what it did when it was captured
    return fx.GraphModule(exported, graph).eval()


def save_captured(module: nn.Module, input_size: tuple[int, int], path: Path, channels: int = 3) -> None:
    """Captures a module for one image, and writes the program.

    Args:
        module: In eval mode, float32 [n, channels, h, w] to logits [n, classes], or to each output [n, ...] by name.
        input_size: Height and width in pixels.
        path: Of the file, ``.pt2``.
        channels: Of the images.

    Raises:
        UsageError: it cannot be captured, or the program computes something else.
        DiskFull: there is no space left.
    """
    save_program(capture_for_training(module, input_size, channels), path)
    image = torch.rand(1, channels, *input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = module(image), load_captured(path)(image)
    difference = largest_difference(found, expected)
    if not difference <= _LARGEST_DIFFERENCE:
        path.unlink()
        raise UsageError(
            f"the module computes something else when it is captured: its outputs differ by {difference:.1e} of the largest",
            "make its forward free of randomness and of state that changes",
        )
