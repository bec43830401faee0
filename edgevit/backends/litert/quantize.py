"""Quantizes TFLite with ai-edge-quantizer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import calibrator, qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.utils import tfl_flatbuffer_utils

from edgevit.backends.litert.float_outputs import with_float_outputs
from edgevit.backends.litert.graph import read_graph
from edgevit.backends.litert.integer_io import with_uint8_io
from edgevit.errors import UsageError
from edgevit.quantization.activation_ranges import tensor_ranges
from edgevit.spec.recipe import OpKind, Recipe
from edgevit.spec.schemes import SCHEMES

_Op = qtyping.TFLOperationName
_EVERYWHERE = ".*"
_MOVES: tuple[OpKind, ...] = ("reshape", "layout", "gather", "pooling")
"""Kinds that only move values: between float ops they are float."""
_GPTQ_IMAGES = 16
"""Enough for the Hessians of a vision transformer, each of whose tokens is a sample; the library runs them slowly."""

_ROW_AXES = 2
"""Axes of an output that is a row of values, such as logits; a map has more."""

Statistics = dict[str, qtyping.QSV]


def quantize(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """Writes ``model.tflite`` in another scheme.

    Args:
        parent: See :meth:`edgevit.backends.Backend.quantize`, also for the others.
        recipe: How to quantize.
        calibration: float32 [n, 3, h, w], preprocessed; None if there are none.
        folder: Where to write.

    Raises:
        ValueError: the scheme needs calibration images, and there are none.
    """
    path = folder / "model.tflite"
    rules = recipe_manager.RecipeManager()
    statistics: Statistics | None = None
    if recipe.scheme == "fp16":
        _half_weights(rules)
    elif recipe.scheme == "dynamic_wi8_afp32":
        rules.add_dynamic_config(_EVERYWHERE, _Op.ALL_SUPPORTED, num_bits=8)
    elif SCHEMES[recipe.scheme].numerics == "int8_weights":
        bits = 4 if recipe.scheme == "weight_only_wi4_afp32" else 8
        rules.add_weight_only_config(_EVERYWHERE, _Op.ALL_SUPPORTED, num_bits=bits)
        if recipe.rounding == "gptq":  # the library has it for linear layers alone
            rules.add_weight_only_config(
                _EVERYWHERE, _Op.FULLY_CONNECTED, num_bits=bits, algorithm_key=AlgorithmName.GPTQ
            )
    else:
        _static(rules, recipe, parent)
    _leave_out(rules, parent, recipe.float_layers)
    if rules.need_calibration():
        if calibration is None:
            raise ValueError(f"{recipe.scheme} needs calibration images")
        gptq = recipe.rounding == "gptq"
        known = _library_statistics(rules, parent, calibration[: _GPTQ_IMAGES if gptq else 1])
        statistics = known if gptq else _with_ranges(known, recipe, parent, calibration)
    worker = quantizer.Quantizer(str(parent), rules.get_quantization_recipe())
    content = worker.quantize(statistics, enable_progress_report=False).quantized_model
    if recipe.integer_io == "none":
        content = with_float_outputs(content)
    path.write_bytes(with_uint8_io(content) if recipe.integer_io == "uint8" else content)
    return path


def _half_weights(rules: recipe_manager.RecipeManager) -> None:
    """Stores weights as float16, which are expanded before use."""
    rules.add_quantization_config(
        regex=_EVERYWHERE,
        operation_name=_Op.ALL_SUPPORTED,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
    )


def _static(rules: recipe_manager.RecipeManager, recipe: Recipe, parent: Path) -> None:
    """Quantizes everything, but unless the recipe has integer I/O, keeps input and output in float.

    Quantized logits would tie, and clipping would change the predicted class.
    """
    rules.add_static_config(
        _EVERYWHERE,
        _Op.ALL_SUPPORTED,
        activation_num_bits=16 if recipe.scheme == "static_wi8_ai16" else 8,
        weight_num_bits=8,
    )
    kept = {*recipe.float_kinds, *(_MOVES if recipe.float_kinds else ())}
    for native in sorted({op.native for op in read_graph(parent).ops if op.kind in kept}):
        if native in set(_Op):
            rules.add_quantization_config(_EVERYWHERE, _Op(native), algorithm_key=AlgorithmName.NO_QUANTIZE)
    if recipe.integer_io != "none":
        return
    for operation, output in _heads(parent):
        exactly = _exactly(output)
        if operation == _Op.FULLY_CONNECTED:
            rules.add_dynamic_config(exactly, operation, num_bits=8)
        else:
            rules.add_quantization_config(exactly, operation, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for boundary in (_Op.INPUT, _Op.OUTPUT):
        rules.add_quantization_config(_EVERYWHERE, boundary, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _exactly(output: str) -> str:
    """Returns a regular expression for the op that makes one tensor."""
    return f"^{re.escape(output)};?$"


def _leave_out(rules: recipe_manager.RecipeManager, parent: Path, float_layers: tuple[str, ...]) -> None:
    """Keeps single ops in float, named as :func:`read_graph` does."""
    if not float_layers:
        return
    quantizable = {op.value for op in _Op}  # the library never quantizes the others
    for op in read_graph(parent).ops:
        if op.name in float_layers and op.native in quantizable:
            rules.add_quantization_config(
                _exactly(op.outputs[0]), _Op(op.native), algorithm_key=AlgorithmName.NO_QUANTIZE
            )


def _heads(parent: Path) -> list[tuple[qtyping.TFLOperationName, str]]:
    """Returns the op that makes each row of outputs and its tensor's name, also those before ops that only change the shape.

    The layers that make maps are no heads: they may be most of a backbone.
    """
    model = tfl_flatbuffer_utils.read_model(str(parent))
    graph = model.subgraphs[0]
    maker = {output: op for op in graph.operators for output in op.outputs}
    pending = [output for output in graph.outputs if len(graph.tensors[output].shape) <= _ROW_AXES]
    heads: list[tuple[qtyping.TFLOperationName, str]] = []
    while pending:
        op = maker.get(pending.pop())
        operation = op and tfl_flatbuffer_utils.TFL_OP_CODE_TO_NAME.get(model.operatorCodes[op.opcodeIndex].builtinCode)
        if op is None or operation is None:
            continue  # the model's input, or an op that the library never quantizes
        heads.append((operation, graph.tensors[op.outputs[0]].name.decode()))
        if operation in (_Op.RESHAPE, _Op.TRANSPOSE):
            pending.append(op.inputs[0])
    return heads


def _library_statistics(rules: recipe_manager.RecipeManager, parent: Path, images: np.ndarray) -> Statistics:
    """Returns what the library itself collects over images float32 [n, 3, h, w], by tensor."""
    measuring = calibrator.Calibrator(str(parent), num_threads=1)
    signatures = Interpreter(model_path=str(parent)).get_signature_list()
    if not signatures:
        raise UsageError(
            "the file has no signature, by which LiteRT's calibration feeds it",
            "convert the model again with a converter that writes signatures, or give --scheme dynamic_wi8_afp32",
        )
    signature, names = next(iter(signatures.items()))
    measuring.calibrate({signature: [{names["inputs"][0]: image[None]} for image in images]}, rules)
    found: Statistics = measuring.get_model_qsvs()
    return found


def _with_ranges(known: Statistics, recipe: Recipe, parent: Path, calibration: np.ndarray) -> Statistics:
    """Returns the statistics that the library needs, with ranges by the recipe's method.

    The library's own ranges are a moving average, which depends on the order of the images.
    """
    logits = frozenset(read_graph(parent).outputs)
    ranges = tensor_ranges(_activations(parent, calibration, set(known)), recipe.ranges, logits)
    return {
        name: {
            bound: np.full_like(known[name][bound], value) for bound, value in zip(("min", "max"), limits, strict=True)
        }
        for name, limits in ranges.items()
    }


def _activations(parent: Path, calibration: np.ndarray, wanted: set[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yields the float activations of each image by name: float32 arrays of the tensors' shapes."""
    interpreter = Interpreter(model_path=str(parent), experimental_preserve_all_tensors=True, num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    places = {
        detail["name"]: detail["index"]
        for detail in interpreter.get_tensor_details()
        if detail["name"] in wanted and detail["dtype"] is np.float32
    }
    for image in calibration:
        interpreter.set_tensor(given, image[None])
        interpreter.invoke()
        yield {name: interpreter.get_tensor(place) for name, place in places.items()}
