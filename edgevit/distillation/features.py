"""What a model computes on the way to its logits, so that a student's can be compared with its teacher's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgevit.errors import UsageError


class Features:
    """Keeps the tokens of the last block of a model, where it has blocks, and what its last linear layer reads."""

    def __init__(self, module: nn.Module) -> None:
        """Begins to keep what each call of a module computes, until the next one."""
        self._found: dict[str, Tensor] = {}
        blocks = getattr(module, "blocks", None)
        if isinstance(blocks, nn.Sequential | nn.ModuleList) and len(blocks):
            blocks[-1].register_forward_hook(self._keep_output)
        layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
        if layers:
            layers[-1].register_forward_pre_hook(self._keep_input)

    @property
    def last(self) -> tuple[Tensor, ...]:
        """Of the last call: float32 [b, tokens, width] of the block, and [b, width] of the layer."""
        return tuple(self._found.get(name, torch.empty(0)) for name in ("block", "layer"))

    def _keep_output(self, part: nn.Module, given: Any, found: Any) -> None:
        if isinstance(found, Tensor):
            self._found["block"] = found

    def _keep_input(self, part: nn.Module, given: tuple[Any, ...]) -> None:
        self._found["layer"] = given[0]


def check_comparable(student: Features, teacher: Features) -> None:
    """Refuses two models that have no features of one shape, after each was called with the same images.

    Raises:
        UsageError: says which shapes they have.
    """
    pairs = list(zip(student.last, teacher.last, strict=True))
    if not any(mine.numel() and mine.shape == theirs.shape for mine, theirs in pairs):
        shapes = [[list(each.shape[1:]) for each in (mine, theirs)] for mine, theirs in pairs if mine.numel()]
        told = ", ".join(f"{mine} and {theirs}" for mine, theirs in shapes) or "none that are known"
        raise UsageError(
            f"distill.feature_weight: student and teacher have no features of one shape: {told}",
            "leave it out, or give a teacher as wide as the student",
        )
