"""Quantizes TFLite with ai-edge-quantizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import calibrator, qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.utils import tfl_flatbuffer_utils

_Op = qtyping.TFLOperationName
_EVERYWHERE = ".*"


def quantize(parent: Path, scheme: str, calibration: np.ndarray | None, transformer: bool, folder: Path) -> Path:
    """Writes ``model.tflite`` in another scheme; see :class:`edgevit.backends.Backend` for the arguments."""
    path = folder / "model.tflite"
    recipe = recipe_manager.RecipeManager()
    ranges = None
    if scheme == "fp16":
        _half_weights(recipe)
    elif scheme == "dynamic_wi8_afp32":
        recipe.add_dynamic_config(regex=_EVERYWHERE, operation_name=_Op.ALL_SUPPORTED, num_bits=8)
    elif calibration is None:
        raise ValueError(f"{scheme} needs calibration images")
    else:
        _static(recipe, parent)
        ranges = _calibrate(recipe, parent, calibration)
    worker = quantizer.Quantizer(str(parent), recipe.get_quantization_recipe())
    result = worker.quantize(ranges, enable_progress_report=False)
    path.write_bytes(result.quantized_model)
    return path


def _half_weights(recipe: recipe_manager.RecipeManager) -> None:
    """Weights stored as float16 and expanded before use."""
    recipe.add_quantization_config(
        regex=_EVERYWHERE,
        operation_name=_Op.ALL_SUPPORTED,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
    )


def _static(recipe: recipe_manager.RecipeManager, parent: Path) -> None:
    """int8 throughout, but float in and out: quantized logits tie and clip, which decides between classes."""
    recipe.add_static_config(
        regex=_EVERYWHERE, operation_name=_Op.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8
    )
    for operation, output in _heads(parent):
        exactly = f"^{re.escape(output)};?$"
        if operation == _Op.FULLY_CONNECTED:
            recipe.add_dynamic_config(regex=exactly, operation_name=operation, num_bits=8)
        else:
            recipe.add_quantization_config(exactly, operation, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for boundary in (_Op.INPUT, _Op.OUTPUT):
        recipe.add_quantization_config(_EVERYWHERE, boundary, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _heads(parent: Path) -> list[tuple[qtyping.TFLOperationName, str]]:
    """The op that makes each output and the name of what it makes, back through ops that only change the shape."""
    model = tfl_flatbuffer_utils.read_model(str(parent))
    graph = model.subgraphs[0]
    maker = {output: op for op in graph.operators for output in op.outputs}
    pending, heads = list(graph.outputs), []
    while pending:
        op = maker.get(pending.pop())
        operation = op and tfl_flatbuffer_utils.TFL_OP_CODE_TO_NAME.get(model.operatorCodes[op.opcodeIndex].builtinCode)
        if op is None or operation is None:
            continue  # the model's input, or an op that the quantizer leaves alone
        heads.append((operation, graph.tensors[op.outputs[0]].name.decode()))
        if operation in (_Op.RESHAPE, _Op.TRANSPOSE):
            pending.append(op.inputs[0])
    return heads


def _calibrate(
    recipe: recipe_manager.RecipeManager, parent: Path, calibration: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Takes each tensor's range as the mean over the images of their smallest and largest values.

    Over all images the extremes of a few odd ones would widen the ranges of a MobileNet's last blocks several times;
    the library's moving average depends on the order of the images.
    """
    measuring = calibrator.Calibrator(str(parent), num_threads=1, qsv_update_func=_running_mean)
    signature, names = next(iter(Interpreter(model_path=str(parent)).get_signature_list().items()))
    feeds = [{names["inputs"][0]: image[None]} for image in calibration]
    measuring.calibrate({signature: feeds}, recipe)
    return {
        tensor: {bound: value[bound] for bound in ("min", "max")}
        for tensor, value in measuring.get_model_qsvs().items()
    }


def _running_mean(so_far: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """Mean of the bounds; the library keeps the first image's as they are, without a count."""
    count = so_far.get("count", 1)
    mean = {bound: (so_far[bound] * count + image[bound]) / (count + 1) for bound in ("min", "max")}
    return {**mean, "count": count + 1}
