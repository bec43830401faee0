"""GELU as a polynomial, for quantized models: the exact one is 10 % of an int8 ViT-Tiny in OpenVINO's CPU plugin."""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13

LIMIT = 3.4
"""Beyond -3.4..3.4 GELU is approximated by 0 or by its input."""
COEFFICIENTS = (0.393858383, -0.0593870776, 0.00658666492, -0.000400917445, 1.00153972e-05)
"""Of x, x³, x⁵, x⁷ and x⁹ in the normal distribution's Φ(x) - 1/2 on -3.4..3.4: the least maximum of x · error among
polynomials that are 1/2 at the limit, so that GELU is continuous there."""
LARGEST_ERROR = 1.2e-3
"""Largest absolute difference from x · Φ(x) anywhere; an int8 step of GELU's output is some ten times that."""


def polynomial_gelu(model: ov.Model) -> int:
    """Replaces every Gelu by ``x · (1/2 + p(clamp(x)))``, in place.

    Returns:
        How many were replaced.
    """
    found = [node for node in model.get_ordered_ops() if node.get_type_name() == "Gelu"]
    for node in found:
        given = node.input(0).get_source_output()
        inside = opset13.clamp(given, -LIMIT, LIMIT)
        square = opset13.multiply(inside, inside)
        polynomial = _constant(COEFFICIENTS[-1])
        for coefficient in reversed(COEFFICIENTS[:-1]):
            polynomial = opset13.add(opset13.multiply(polynomial, square), _constant(coefficient))
        share = opset13.add(opset13.multiply(inside, polynomial), _constant(0.5))
        node.output(0).replace(opset13.multiply(given, share).output(0))
    return len(found)


def _constant(value: float) -> ov.Node:
    return opset13.constant(np.float32(value))
