"""Quantizes OpenVINO IR: float16 weights by OpenVINO itself, int8 by NNCF."""

from __future__ import annotations

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
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    ov.save_model(quantized, path, compress_to_fp16=False)
    return path
