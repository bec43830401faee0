"""Writes OpenVINO IR from a captured program."""

from __future__ import annotations

from pathlib import Path

import openvino as ov
from torch.export import ExportedProgram


def export(program: ExportedProgram, folder: Path) -> Path:
    """Writes ``model.xml`` and ``model.bin``: float32, static shapes.

    Args:
        program: One input, logits as the only output.
        folder: Exists.
    """
    path = folder / "model.xml"
    if program.example_inputs is None:
        raise ValueError("the program was saved without example inputs")
    arguments = program.example_inputs[0]
    model = ov.convert_model(program, example_input=arguments)
    model.reshape(list(arguments[0].shape))
    model.input(0).set_names({"input"})
    model.output(0).set_names({"logits"})
    ov.save_model(model, path, compress_to_fp16=False)
    return path
