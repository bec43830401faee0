"""Finds linear layers whose input has outlier tokens, for which per-tensor dynamic quantization is inaccurate.

ONNX Runtime takes one 8-bit range for a layer's whole input at run time. A token with values far beyond all others
then leaves only a few steps for the others. The error of single rows shows it; that of the whole matrix hides it,
because the outlier dominates the norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

IMAGES = 8
"""Enough to find outliers: in vision transformers they are in the same layers for every image."""
LARGEST_ROW_ERROR = 0.1
"""Mean relative error of a layer's output rows above which it stays float. In a ViT-Tiny one layer has 0.45 and causes
nearly all of the error in the logits; the next has 0.06."""


@dataclass(frozen=True)
class _Layer:
    node: str
    input: str
    weight: np.ndarray
    """float32 [in, out]."""


def find_outlier_layers(model: onnx.ModelProto, images: np.ndarray) -> list[str]:
    """Returns the names of MatMul and Gemm nodes with constant weights that should stay float.

    Args:
        model: Float model with one image input; left untouched.
        images: float32 [n, 3, h, w], preprocessed; up to 8 of them, evenly spaced, are run.
    """
    layers = _linear_layers(model)
    session = session_with_outputs(model, {layer.input for layer in layers})
    names = [output.name for output in session.get_outputs()]
    chosen = images[:: max(1, len(images) // IMAGES)][:IMAGES]
    errors = dict.fromkeys((layer.node for layer in layers), 0.0)
    for image in chosen:
        values = dict(zip(names, session.run(None, {session.get_inputs()[0].name: image[None]}), strict=True))
        for layer in layers:
            errors[layer.node] += row_error(values[layer.input], layer.weight) / len(chosen)
    return [node for node, error in errors.items() if error > LARGEST_ROW_ERROR]


def row_error(values: np.ndarray, weight: np.ndarray) -> float:
    """Returns the relative output error that one 8-bit range for the whole input causes, averaged over rows.

    Args:
        values: float [..., in], a layer's input.
        weight: float [in, out].
    """
    rows = values.reshape(-1, values.shape[-1])
    step = max((max(rows.max(), 0.0) - min(rows.min(), 0.0)) / 255, 1e-12)
    error = (np.rint(rows / step) * step - rows) @ weight
    return float(np.mean(np.linalg.norm(error, axis=1) / (np.linalg.norm(rows @ weight, axis=1) + 1e-12)))


def _linear_layers(model: onnx.ModelProto) -> list[_Layer]:
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in weights:
            continue
        weight = numpy_helper.to_array(weights[node.input[1]])
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if weight.ndim == 2:
            layers.append(_Layer(node.name, node.input[0], weight.T if transposed else weight))
    return layers


def session_with_outputs(model: onnx.ModelProto, tensors: set[str]) -> ort.InferenceSession:
    """Opens a model with more float tensors, by name, as outputs."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {output.name for output in model.graph.output} | {entry.name for entry in model.graph.input}
    for name in sorted(tensors - known):
        watched.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
