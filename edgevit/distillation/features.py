"""What a model computes on the way to its logits, so that a student's can be compared with its teacher's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from edgevit.distillation.student import Student
from edgevit.distillation.teacher import Teacher
from edgevit.errors import UsageError


class Features:
    """Keeps the tokens of the last block of a model, where it has blocks, and what its last linear layer reads."""

    def __init__(self, module: nn.Module) -> None:
        """Begins to keep what each call of a module computes, until the next one."""
        self._found: dict[str, Tensor] = {}
        self._hooks: list[RemovableHandle] = []
        blocks = getattr(module, "blocks", None)
        if isinstance(blocks, nn.Sequential | nn.ModuleList) and len(blocks):
            self._hooks.append(blocks[-1].register_forward_hook(self._keep_output))
        layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
        if layers:
            self._hooks.append(layers[-1].register_forward_pre_hook(self._keep_input))

    @property
    def last(self) -> tuple[Tensor, ...]:
        """Of the last call: float32 [b, tokens, width] of the block, and [b, width] of the layer."""
        return tuple(self._found.get(name, torch.empty(0)) for name in ("block", "layer"))

    def close(self) -> None:
        """Keeps nothing any more."""
        for hook in self._hooks:
            hook.remove()

    def _keep_output(self, part: nn.Module, given: Any, found: Any) -> None:
        if isinstance(found, Tensor):
            self._found["block"] = found

    def _keep_input(self, part: nn.Module, given: tuple[Any, ...]) -> None:
        self._found["layer"] = given[0]


def check_features(student: Student, teacher: Teacher, device: str) -> None:
    """Refuses two models that have no features of one shape.

    Args:
        student: On the device.
        teacher: On the device.
        device: Of torch.

    Raises:
        UsageError: says which shapes they have.
    """
    mine, theirs = Features(student.original), Features(teacher.module)
    contract = student.preprocessing
    image = torch.zeros(2, contract.channels, *contract.input_size, device=device)
    with torch.no_grad():
        student.module(image)
        teacher(image)
    pairs = list(zip(mine.last, theirs.last, strict=True))
    mine.close()
    theirs.close()
    if not any(one.numel() and one.shape == other.shape for one, other in pairs):
        told = " and ".join(f"{list(one.shape[1:])} to {list(other.shape[1:])}" for one, other in pairs)
        raise UsageError(
            f"distill.feature_weight: student and teacher have no features of one shape: {told}",
            "leave it out, or give a teacher as wide as the student",
        )
