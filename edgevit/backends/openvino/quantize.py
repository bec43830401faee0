"""Quantizes OpenVINO IR: float16 weights by OpenVINO itself, int8 by NNCF."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import openvino as ov


def quantize(parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path) -> Path:
    """Writes ``model.xml`` and ``model.bin`` in another scheme.

    NNCF's transformer mode keeps residual adds, LayerNorm, GELU and softmax in float; without it a ViT-Tiny loses
    all its accuracy. See :class:`edgevit.backends.Backend` for the arguments.
    """
    path = folder / "model.xml"
    model = ov.Core().read_model(parent)
    if scheme == "fp16":
        ov.save_model(model, path, compress_to_fp16=True)
        return path
    if calibration is None:
        raise ValueError(f"{scheme} needs calibration images")
    import nncf

    quantized = nncf.quantize(
        model,
        nncf.Dataset([image[None] for image in calibration]),
        subset_size=len(calibration),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    _name_by_position(quantized)
    ov.save_model(quantized, path, compress_to_fp16=False)
    return path


def _name_by_position(model: ov.Model) -> None:
    """Replaces names that hold a counter of the process, so that the same inputs give the same file."""
    for position, op in enumerate(model.get_ordered_ops()):
        if re.fullmatch(r"[A-Za-z]+_\d+", op.get_friendly_name()):
            op.set_friendly_name(f"{op.get_type_name()}_at_{position}")
