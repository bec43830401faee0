"""Writes TFLite from a captured program with litert-torch."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import litert_torch
import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.results.output import LOGITS


def export(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """Writes ``model.tflite``: float32, static shapes, NCHW input as in PyTorch.

    Args:
        program: One input; logits as the only output, or named outputs.
        folder: Exists.
        fused: Has no effect: the format has one form of each op.

    Returns:
        The main file.

    Raises:
        ValueError: the program was saved without example inputs.
    """
    path = folder / "model.tflite"
    if program.example_inputs is None:
        raise ValueError("the program was saved without example inputs")
    (example,) = program.example_inputs[0]
    converted = litert_torch.convert(_Named(cast(nn.Module, program.module())), sample_kwargs={"input": example})
    converted.export(str(path))
    return path


class _Named(nn.Module):
    """Names the outputs of the signature."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: torch.Tensor) -> dict[str, torch.Tensor]:
        given = self.module(input)
        return given if isinstance(given, dict) else {LOGITS: given}
