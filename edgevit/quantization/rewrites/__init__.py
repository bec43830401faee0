"""Exact rewrites of a captured program: the same function, in a form that a runtime computes faster or int8 fits better.

Each is a file of its own; it changes the places that it knows to be safe, leaves all others as they are, and says how
many it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram

from edgevit.errors import CandidateFailed, UsageError, unknown_name
from edgevit.model.program.layers import export_again, run_images
from edgevit.quantization.rewrites.class_token_only import class_token_only
from edgevit.quantization.rewrites.explicit_attention import explicit_attention
from edgevit.quantization.rewrites.patches_as_linear import patches_as_linear
from edgevit.quantization.rewrites.position_before_concat import position_before_concat
from edgevit.quantization.rewrites.split_massive_neurons import split_massive_neurons
from edgevit.quantization.rewrites.split_query_key_value import split_query_key_value

TOLERANCE = 1e-5
"""Largest difference that rewriting may make, relative to the largest logit (it is float32 rounding)."""
IMAGES = 8
"""Most images that are looked at."""

REWRITES: dict[str, Callable[[fx.GraphModule, np.ndarray], int]] = {
    "class_token_only": lambda module, _: class_token_only(module),
    "position_before_concat": lambda module, _: position_before_concat(module),
    "patches_as_linear": lambda module, _: patches_as_linear(module),
    "explicit_attention": lambda module, _: explicit_attention(module),
    "split_query_key_value": lambda module, _: split_query_key_value(module),
    "split_massive_neurons": split_massive_neurons,
}
"""All rewrites in the order in which they are done: a module and images float32 [n, 3, h, w] to the number of places."""


@dataclass(frozen=True)
class Rewritten:
    """A rewritten program."""

    program: ExportedProgram
    changed: Mapping[str, int]
    """How many places each rewrite changed, in the order in which they were done."""


def rewrite(program: ExportedProgram, names: Collection[str], images: np.ndarray | None = None) -> Rewritten:
    """Rewrites a program, and checks that it still computes the same.

    Args:
        program: One input, float32 [1, 3, h, w], one output, logits [1, classes]; left untouched.
        names: Of :data:`REWRITES`, which are done in the order there.
        images: float32 [n, 3, h, w], preprocessed, of which up to :data:`IMAGES` are run; None for the image that the
            model was captured with.

    Returns:
        The program that came in where nothing was changed.

    Raises:
        CandidateFailed: the logits changed by more than :data:`TOLERANCE`, or are no numbers.
        UsageError: a name is unknown, there are no images, or the program has no example inputs.
    """
    for name in names:
        if name not in REWRITES:
            raise unknown_name("rewrite", name, REWRITES)
    chosen = _probe(program) if images is None else images[:: max(1, len(images) // IMAGES)][:IMAGES]
    module = program.module()
    changed = {name: change(module, chosen) for name, change in REWRITES.items() if name in names}
    if not any(changed.values()):
        return Rewritten(program, changed)
    rewritten = export_again(module, program)
    expected, actual = (run_images(one.module(), chosen) for one in (program, rewritten))
    difference = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= TOLERANCE:
        raise CandidateFailed(
            f"{', '.join(changed)} changed the logits by {difference:.1e} (relative); float32 rounding is under {TOLERANCE:.0e}"
        )
    return Rewritten(rewritten, changed)


def _probe(program: ExportedProgram) -> np.ndarray:
    """The image that a program was captured with, float32 [1, 3, h, w]."""
    if program.example_inputs is None:
        raise UsageError("the program was saved without example inputs")
    example: torch.Tensor = program.example_inputs[0][0]
    return example.detach().numpy()
