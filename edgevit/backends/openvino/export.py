"""Writes OpenVINO IR from a captured program."""

from __future__ import annotations

import re
from pathlib import Path

import openvino as ov
from torch.export import ExportedProgram

from edgevit.backends.output_names import output_names


def export(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """Writes ``model.xml`` and ``model.bin``: float32, static shapes.

    Args:
        program: One input; logits as the only output, or named outputs.
        folder: Exists.
        fused: Has no effect: the format has one form of each op.

    Returns:
        The main file.

    Raises:
        ValueError: the program was saved without example inputs.
    """
    path = folder / "model.xml"
    if program.example_inputs is None:
        raise ValueError("the program was saved without example inputs")
    arguments = program.example_inputs[0]
    model = ov.convert_model(program, example_input=arguments)
    model.reshape(list(arguments[0].shape))
    model.input(0).set_names({"input"})
    for place, name in enumerate(output_names(program)):
        model.output(place).set_names({name})
    _name_by_place(model)
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def _name_by_place(model: ov.Model) -> None:
    """Replaces names that contain a counter of the process, so that the same program gives the same file."""
    model.set_friendly_name("model")
    for place, op in enumerate(model.get_ordered_ops()):
        if re.fullmatch(r"[A-Z]\w*_\d+", op.get_friendly_name()):  # an op's type and a count
            op.set_friendly_name(f"{op.get_type_name()}_{place}")
