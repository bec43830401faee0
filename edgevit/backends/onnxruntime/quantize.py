"""Quantizes ONNX with ONNX Runtime's own quantizers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import shape_inference
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgevit.backends.onnxruntime.gelu import tanh_gelu
from edgevit.backends.onnxruntime.global_pooling import pool_globally
from edgevit.backends.onnxruntime.graph import read_graph
from edgevit.backends.onnxruntime.outliers import find_outlier_layers, session_with_outputs
from edgevit.quantization.activation_ranges import tensor_ranges
from edgevit.results.graph import Graph
from edgevit.spec.recipe import OpKind, Recipe
from edgevit.spec.schemes import SCHEMES

_LINEAR = ("MatMul", "Gemm")
_MOVES: tuple[OpKind, ...] = ("reshape", "layout", "gather")
"""Kinds that only move values: they use the numbers of the ops around them, so between float ops they are float."""
_FUSED = "/MatMulAddFusion"
"""Suffix that ONNX Runtime adds to the name of a MatMul that it has made a Gemm."""
_FOR_TENSORRT = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "AddQDQPairToWeight": True,
}
"""TensorRT takes zero points of 0 alone and dequantizes no int32; before version 10 it takes weights only in float, behind Q/DQ."""
_ALWAYS_ASYMMETRIC = ("Softmax",)
"""Whose outputs the quantizer gives a zero point of -128 whatever it is asked for."""
_BLOCK = 32
"""Number of weights that share a scale in a weight-only scheme."""


def quantize(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """Writes ``model.onnx`` in another scheme.

    Args:
        parent: See :meth:`edgevit.backends.Backend.quantize`, also for the others.
        recipe: How to quantize.
        calibration: float32 [n, 3, h, w], preprocessed; None if there are none.
        folder: Where to write.

    Raises:
        ValueError: the scheme needs calibration images, and there are none.
    """
    path = folder / "model.onnx"
    if recipe.scheme == "dynamic_wi8_afp32":
        model = _loaded(parent)
        if "tanh_gelu" in recipe.preparations:
            tanh_gelu(model)
        _quantize_dynamic(model, recipe, calibration, path)
    elif SCHEMES[recipe.scheme].numerics == "int8_weights":
        _quantize_weights(_loaded(parent), recipe, path)
    elif calibration is None:
        raise ValueError(f"{recipe.scheme} needs calibration images")
    else:
        _quantize_static(parent, recipe, calibration, path)
    return path


def _quantize_dynamic(model: onnx.ModelProto, recipe: Recipe, calibration: np.ndarray | None, path: Path) -> None:
    """Quantizes linear layers, with per-channel weights; convolutions stay float, for ConvInteger is slower than Conv.

    Where there are images, linear layers whose input has outlier tokens stay float too.
    """
    outliers = find_outlier_layers(model, calibration) if calibration is not None else []
    quantize_dynamic(
        model, path, op_types_to_quantize=list(_LINEAR), per_channel=True, weight_type=QuantType.QInt8,
        reduce_range=recipe.reduce_range, nodes_to_exclude=_with_gemm((*outliers, *recipe.float_layers)),
    )  # fmt: skip


def _with_gemm(names: Iterable[str]) -> list[str]:
    """Adds the names that a Gemm has after the quantizers have split it into a MatMul and an Add."""
    return sorted({name for given in names for name in (given, f"{given}_MatMul")})


def _loaded(parent: Path) -> onnx.ModelProto:
    """Loads a model without the shapes of its weights: the quantizers transpose weights and then find them untrue."""
    model = onnx.load(parent)
    weights = {initializer.name for initializer in model.graph.initializer}
    kept = [info for info in model.graph.value_info if info.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    return model


def _quantize_weights(model: onnx.ModelProto, recipe: Recipe, path: Path) -> None:
    """Quantizes the weights of MatMul block by block, symmetrically; MatMulNBits expands them as it multiplies."""
    bits = 4 if recipe.scheme == "weight_only_wi4_afp32" else 8
    separate = ONNXModel(model)
    separate.replace_gemm_with_matmul()
    quantizer = MatMulNBitsQuantizer(
        separate.model, bits=bits, block_size=_BLOCK, is_symmetric=True, accuracy_level=1,
        nodes_to_exclude=_with_gemm(recipe.float_layers),
    )  # fmt: skip
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))


def _quantize_static(parent: Path, recipe: Recipe, calibration: np.ndarray, path: Path) -> None:
    """Quantizes to QDQ format with uint8 activations and per-channel int8 weights, or all signed and symmetric for TensorRT.

    The outputs of linear layers stay float: clipped logits would tie.
    """
    model = _prepared(parent, path.with_name("prepared.onnx"))
    pool_globally(model)
    model = shape_inference.infer_shapes(model)
    in_float = _left_in_float(read_graph(parent), recipe)
    excluded = [
        node.name
        for node in model.graph.node
        if node.name.partition(_FUSED)[0] in in_float or (recipe.symmetric and node.op_type in _ALWAYS_ASYMMETRIC)
    ]
    ranges = path.with_name("ranges.json")
    found = tensor_ranges(_activations(model, calibration), recipe.ranges)
    data = {name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in found.items()}
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, data), ranges)
    quantize_static(
        model,
        path,
        None,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=recipe.reduce_range,
        activation_type=QuantType.QInt8 if recipe.symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=excluded,
        calibrate_method=CalibrationMethod.MinMax,
        calibration_cache_path=ranges,
        extra_options={
            "OpTypesToExcludeOutputQuantization": list(_LINEAR),
            **(_FOR_TENSORRT if recipe.symmetric else {}),
        },
    )
    ranges.unlink()


def _prepared(parent: Path, path: Path) -> onnx.ModelProto:
    """Lets ONNX Runtime fuse each MatMul and Add to a Gemm; fused after quantization, they would have no int8 kernel."""
    quant_pre_process(parent, path, skip_symbolic_shape=True)
    prepared = onnx.load(path)
    path.unlink()
    return prepared


def _left_in_float(graph: Graph, recipe: Recipe) -> set[str]:
    """Returns the names of ops that a static scheme keeps in float: the recipe's, and activations after such layers."""
    kinds = {*recipe.float_kinds, *(_MOVES if recipe.float_kinds else ())}
    names = {op.name for op in graph.ops if op.kind in kinds or op.name in recipe.float_layers}
    maker = {output: op.name for op in graph.ops for output in op.outputs}
    for op in graph.ops:
        if op.kind == "activation" and maker.get(op.inputs[0]) in names:
            names.add(op.name)
    return names


def _activations(model: onnx.ModelProto, calibration: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yields the float activations of each image by name, float32 [1, ...] and the input [3, h, w]."""
    made = {name for node in model.graph.node for name in node.output}
    floats = {
        value.name
        for value in (*model.graph.value_info, *model.graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT and value.name in made
    }
    session: ort.InferenceSession = session_with_outputs(model, floats)
    names, given = [output.name for output in session.get_outputs()], session.get_inputs()[0].name
    for image in calibration:
        yield {given: image, **dict(zip(names, session.run(None, {given: image[None]}), strict=True))}
