"""Quantizes TFLite with ai-edge-quantizer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import calibrator, qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.utils import qsv_utils

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
    for op_name, output in _last_ops(parent):
        if op_name == "FULLY_CONNECTED":
            recipe.add_dynamic_config(regex=re.escape(output), operation_name=_Op.FULLY_CONNECTED, num_bits=8)
        else:
            recipe.add_quantization_config(re.escape(output), _Op(op_name), algorithm_key=AlgorithmName.NO_QUANTIZE)
    for boundary in (_Op.INPUT, _Op.OUTPUT):
        recipe.add_quantization_config(_EVERYWHERE, boundary, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _last_ops(parent: Path) -> list[tuple[str, str]]:
    """Name and output tensor of the ops that make the model's outputs."""
    interpreter = Interpreter(
        model_path=str(parent), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    outputs = {detail["index"]: detail["name"] for detail in interpreter.get_output_details()}
    return [
        (op["op_name"], outputs[index])
        for op in interpreter._get_ops_details()
        for index in op["outputs"]
        if index in outputs
    ]


def _calibrate(
    recipe: recipe_manager.RecipeManager, parent: Path, calibration: np.ndarray
) -> dict[str, qtyping.QSV]:
    """Takes the smallest and largest value of every tensor over all images.

    The library's own moving average clips the extremes of a MobileNet's activations, which costs 5 points.
    """
    measuring = calibrator.Calibrator(str(parent), num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    signature, names = next(iter(Interpreter(model_path=str(parent)).get_signature_list().items()))
    feeds = [{names["inputs"][0]: image[None]} for image in calibration]
    measuring.calibrate({signature: feeds}, recipe)
    return dict(measuring.get_model_qsvs())
