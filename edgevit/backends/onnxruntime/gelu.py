"""GELU by tanh, for quantized models: ONNX Runtime computes that faster than the error function."""

from __future__ import annotations

import onnx

LARGEST_ERROR = 4.8e-4
"""Largest absolute difference from x · Φ(x) anywhere; an int8 step of GELU's output is far larger."""


def tanh_gelu(model: onnx.ModelProto) -> int:
    """Lets every Gelu of ONNX use the approximation of Hendrycks and Gimpel (2016) by tanh, in place.

    Returns:
        How many were changed; none in a model that writes GELU as several ops.
    """
    changed = 0
    for node in model.graph.node:
        if node.op_type != "Gelu" or node.domain not in ("", "ai.onnx"):
            continue
        if any(given.name == "approximate" and given.s == b"tanh" for given in node.attribute):
            continue
        del node.attribute[:]
        node.attribute.append(onnx.helper.make_attribute("approximate", "tanh"))
        changed += 1
    return changed
