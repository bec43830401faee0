"""Which layers of a model its logits hardly depend on, so that comparing logits would not show what a converter lost of them.

Layer scales that are still at their first 1e-6, or gains at zero, hide whole blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import fx

from edgevit.artifacts.verify import FLOAT_TOLERANCE
from edgevit.data.prepared import PreparedImages
from edgevit.model.program.capture import load_program
from edgevit.model.program.functional import without_writes
from edgevit.model.program.layers import find_layers
from edgevit.model.program.module_names import module_layers
from edgevit.model.program.outputs import as_rows

_IMAGES = 2
_DIRECTIONS = 2
"""Random directions in which the change of the logits is taken."""
_NAMED = 4


@dataclass(frozen=True)
class UnseenJob:
    """A captured program, and images for it."""

    program: Path
    images: PreparedImages
    """The first two are used."""


@dataclass(frozen=True)
class UnseenLayers:
    """Layers that could compute something else without a difference that verification would call one."""

    modules: tuple[str, ...]
    """Paths such as "blocks.7.mlp.fc2", or names of nodes where there is none, in execution order."""
    layers: int
    """Layers of the model."""

    @property
    def note(self) -> str:
        """What people have to know of it; "" where there are none."""
        if not self.modules:
            return ""
        more = f" and {len(self.modules) - _NAMED} more" if len(self.modules) > _NAMED else ""
        return (
            f"verification does not see {len(self.modules)} of {self.layers} layers, on which the logits hardly depend"
            f" (layer scales or gains near zero?): {', '.join(self.modules[:_NAMED])}{more}"
        )


def find_unseen_layers(job: UnseenJob) -> UnseenLayers:
    """Finds the layers that comparing logits cannot check.

    Each value that a layer computes is multiplied by 1 plus or minus a number that is 0, the signs drawn at random: alike
    for all, a norm behind the layer would hide it. Twice the derivative of the logits by that number is, to first order,
    what turning the signs of a random half of the values changes.
    """
    program = load_program(job.program)
    module = program.module()
    assert isinstance(module, fx.GraphModule)
    without_writes(module.graph)  # the gradient of an op may need what would be overwritten
    module.recompile()
    layers = find_layers(module)
    changed = {layer.node: torch.zeros((), requires_grad=True) for layer in layers}
    changes = torch.zeros(len(layers))
    generator = torch.Generator().manual_seed(0)
    for image in islice(job.images.batches(), _IMAGES):
        logits = as_rows(_Perturbed(module, changed, generator).run(torch.from_numpy(image)))
        largest = float(logits.detach().abs().max().clamp_min(1e-30))
        for _ in range(_DIRECTIONS):
            direction = torch.randn(logits.shape, generator=generator)
            slopes = torch.autograd.grad(
                logits, list(changed.values()), direction, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            changes = torch.maximum(changes, 2 * torch.stack(slopes).abs() / largest)
    names = [known.module or layer.node.name for known, layer in zip(module_layers(program), layers, strict=True)]
    unseen = [name for name, change in zip(names, changes.tolist(), strict=True) if change <= FLOAT_TOLERANCE]
    return UnseenLayers(tuple(unseen), len(layers))


class _Perturbed(fx.Interpreter):
    """Changes what some nodes compute by a share each, with random signs."""

    def __init__(
        self, module: fx.GraphModule, shares: Mapping[fx.Node, torch.Tensor], generator: torch.Generator
    ) -> None:
        super().__init__(module)
        self._shares, self._generator = shares, generator

    def run_node(self, n: fx.Node) -> Any:
        result, share = super().run_node(n), self._shares.get(n)
        if share is None:
            return result
        signs = torch.randint(0, 2, result.shape, generator=self._generator) * 2 - 1
        return result * (1 + share * signs)
