"""Exact rewrites of a captured program: the same logits, in a form that is faster in a runtime or better for int8.

Each is a file of its own, with a function of the file's name; it changes the places that it knows to be safe, leaves
all others as they are, and returns how many it changed. To add one, add such a file, and its name to
:data:`edgevit.spec.recipe.Rewrite`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram

from edgevit.errors import CandidateFailed, UsageError, unknown_name
from edgevit.model.program.layers import export_again, run_images
from edgevit.spec.recipe import REWRITES, Rewrite

TOLERANCE = 1e-5
"""Largest difference that rewriting may make, relative to the largest logit (it is float32 rounding)."""
IMAGES = 8
"""Most images that are run."""

RewriteFunction = Callable[[fx.GraphModule, np.ndarray], int]
"""Changes an ATen graph in place, given images float32 [n, 3, h, w]; returns the number of places changed."""


@dataclass(frozen=True)
class Rewritten:
    """A rewritten program."""

    program: ExportedProgram
    changed: Mapping[Rewrite, int]
    """How many places each rewrite changed, in the order in which they were done."""


def find_rewrite(name: Rewrite) -> RewriteFunction:
    """Returns the function of a rewrite: the one called ``name`` in the file ``<name>.py`` of this package."""
    return cast(RewriteFunction, getattr(importlib.import_module(f"{__name__}.{name}"), name))


def rewrite(program: ExportedProgram, names: Collection[str], images: np.ndarray | None = None) -> Rewritten:
    """Rewrites a program, and checks that its logits stay the same.

    Args:
        program: One input, float32 [1, 3, h, w], one output, logits [1, classes]; left untouched.
        names: Of :data:`edgevit.spec.recipe.REWRITES`; done in the order there, whatever the order here.
        images: float32 [n, 3, h, w], preprocessed, of which up to :data:`IMAGES` are run; None for the image that the
            model was captured with.

    Returns:
        The rewritten program; the given one where nothing was changed.

    Raises:
        CandidateFailed: the logits changed by more than :data:`TOLERANCE`, or are not finite.
        UsageError: a name is unknown, there are no images, or the program has no example inputs.
    """
    for name in names:
        if name not in REWRITES:
            raise unknown_name("rewrite", name, REWRITES)
    chosen = _probe(program) if images is None else images[:: max(1, len(images) // IMAGES)][:IMAGES]
    module = program.module()
    changed = {name: find_rewrite(name)(module, chosen) for name in REWRITES if name in names}
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
    """Returns the image that a program was captured with, float32 [1, 3, h, w]."""
    if program.example_inputs is None:
        raise UsageError("the program was saved without example inputs", "capture the model again")
    example: torch.Tensor = program.example_inputs[0][0]
    return example.detach().numpy()
