"""What a model computes on the way to its logits, so that a student's can be compared with its teacher's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from edgevit.distillation.losses import feature_loss
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

    def close(self) -> None:
        """Keeps nothing any more."""
        for hook in self._hooks:
            hook.remove()

    def _keep_output(self, part: nn.Module, given: Any, found: Any) -> None:
        if isinstance(found, Tensor):
            self._found["block"] = found

    def _keep_input(self, part: nn.Module, given: tuple[Any, ...]) -> None:
        self._found["layer"] = given[0]

    def error(self, others: Features) -> Tensor:
        """Returns how far what the last call computed is from what that of another model did.

        Returns:
            float32 of shape [], see :func:`edgevit.distillation.losses.feature_loss`.
        """
        names = [name for name in self._found if name in others._found]
        return feature_loss([self._found[name].float() for name in names], [others._found[name] for name in names])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of what the last call computed for one image, by where."""
        return {name: tuple(value.shape[1:]) for name, value in self._found.items()}


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
    mine.close()
    theirs.close()
    own, others = mine.shapes(), theirs.shapes()
    if not any(own[name] == others.get(name) for name in own):
        raise UsageError(
            f"distill.feature_weight: student and teacher have no features of one shape: {_told(own)}, and {_told(others)}",
            "leave it out, or give a teacher as wide as the student",
        )


def _told(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{list(shape)} of the last {name}" for name, shape in shapes.items()) or "none that are known"
