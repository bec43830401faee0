"""GELU as a polynomial: how far from the exact one, and that nothing else changes."""

from __future__ import annotations

import math

import numpy as np
import pytest

ov = pytest.importorskip("openvino")

from openvino import opset13  # noqa: E402

from edgevit.backends.openvino.gelu import COEFFICIENTS, LARGEST_ERROR, LIMIT, polynomial_gelu  # noqa: E402

POINTS = np.linspace(-9, 9, 20_001).astype(np.float32)


def model() -> ov.Model:
    given = opset13.parameter([len(POINTS)], np.float32, name="input")
    return ov.Model([opset13.gelu(given, "erf")], [given])


def answer(made: ov.Model) -> np.ndarray:
    compiled = ov.compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([POINTS])[0])


def test_it_is_gelu_to_a_thousandth() -> None:
    made = model()
    assert polynomial_gelu(made) == 1
    assert "Gelu" not in {node.get_type_name() for node in made.get_ops()}
    exact = POINTS * np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in POINTS.tolist()])
    error = np.abs(answer(made) - exact).max()
    assert 1e-4 < error <= LARGEST_ERROR


def test_far_out_it_is_the_input_or_nothing() -> None:
    made = model()
    polynomial_gelu(made)
    out = answer(made)
    np.testing.assert_allclose(out[POINTS > LIMIT], POINTS[POINTS > LIMIT], rtol=1e-5)
    np.testing.assert_allclose(out[POINTS < -LIMIT], 0, atol=1e-4)


def test_the_polynomial_is_one_half_at_the_limit() -> None:
    powers = [LIMIT ** (2 * place + 1) for place in range(len(COEFFICIENTS))]
    assert np.dot(COEFFICIENTS, powers) == pytest.approx(0.5, abs=1e-6)


def test_a_model_without_gelu_stays() -> None:
    given = opset13.parameter([4], np.float32)
    assert polynomial_gelu(ov.Model([opset13.relu(given)], [given])) == 0
