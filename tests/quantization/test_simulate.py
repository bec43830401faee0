"""Simulated int8: the same function in float, exact for single layers, and refused where the artifact is another."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.program.layers import find_layers  # noqa: E402
from edgevit.model.program.trainable import Trainable, capture_for_training  # noqa: E402
from edgevit.quantization import simulate as simulation  # noqa: E402
from edgevit.quantization.activation_ranges import tensor_ranges  # noqa: E402
from edgevit.quantization.arithmetic import Int8Arithmetic  # noqa: E402
from edgevit.quantization.fake_quantize import fake_quantize_between, fake_quantize_weight  # noqa: E402
from edgevit.quantization.rewrites import find_rewrite  # noqa: E402
from edgevit.quantization.simulate import Int8Scheme, LayerNumerics, simulate  # noqa: E402
from edgevit.spec.recipe import REWRITES, RangeMethod, Rewrite  # noqa: E402
from edgevit.spec.schemes import Numerics  # noqa: E402

# isort: split
from tests.model.program.networks import conv_bn, disturb  # noqa: E402
from tests.models import SIDE, vit  # noqa: E402

IMAGES = np.random.default_rng(0).normal(size=(6, 3, SIDE, SIDE)).astype(np.float32)


def trainable(module: nn.Module) -> Trainable:
    return Trainable(capture_for_training(module.eval(), (SIDE, SIDE)))


def scheme_of(
    module: nn.Module,
    numerics: Numerics,
    arithmetic: Int8Arithmetic | None = None,
    rewrites: tuple[Rewrite, ...] = (),
    *,
    adds: bool = False,
) -> Int8Scheme:
    """A scheme in which all layers have the same numerics."""
    graph = trainable(module).graph
    for name in rewrites:
        find_rewrite(name)(graph, IMAGES)
    layers = tuple(
        LayerNumerics(
            layer.node.meta["val"].numel() // len(layer.weight) * layer.weight.numel(), layer.weight.numel(), numerics
        )
        for layer in find_layers(graph)
    )
    return Int8Scheme(arithmetic or Int8Arithmetic(), rewrites, "min_max", False, layers, adds)


ROWS = Int8Arithmetic(linear_ranges="row", folded_into_linear="scale and shift")
STATIC = Int8Arithmetic(folded_into_linear="shift", rounds_query_and_key=True)


@pytest.mark.parametrize(
    ("module", "numerics", "arithmetic", "rewrites", "adds"),
    [
        (vit(), "int8_dynamic", Int8Arithmetic(), ("class_token_only", "split_query_key_value"), False),
        (vit(), "int8_dynamic", ROWS, ("class_token_only", "patches_as_linear", "explicit_attention"), False),
        (vit(), "int8_static", STATIC, ("class_token_only", "explicit_attention"), False),
        (disturb(conv_bn()), "int8_static", Int8Arithmetic(symmetric_ranges=True), (), True),
    ],
    ids=["ranges of an image", "ranges of a row", "static", "network without float kinds"],
)
def test_without_rounding_it_computes_the_same_and_with_it_nearly(
    module: nn.Module,
    numerics: Numerics,
    arithmetic: Int8Arithmetic,
    rewrites: tuple[Rewrite, ...],
    adds: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = module.eval()
    scheme = scheme_of(module, numerics, arithmetic, rewrites, adds=adds)
    batch = torch.from_numpy(IMAGES)
    with torch.no_grad():
        expected = module(batch)
        scale = float(expected.abs().max())
        rounded = trainable(module)
        simulate(rounded.graph, scheme, IMAGES)
        difference = float((rounded(batch).logits - expected).abs().max()) / scale
        assert 1e-5 < difference < 0.2
        for name in ("fake_quantize_weight", "fake_quantize_rows", "fake_quantize_image", "fake_quantize_between"):
            monkeypatch.setattr(simulation, name, lambda values, *_: values)
        exact = trainable(module)
        simulate(exact.graph, scheme, IMAGES)
        assert float((exact(batch).logits - expected).abs().max()) / scale < 1e-4


def test_every_parameter_gets_a_gradient_through_int8() -> None:
    module = vit().eval()
    student = trainable(module)
    simulate(student.graph, scheme_of(module, "int8_dynamic", ROWS, ("class_token_only",)), IMAGES)
    assert set(student.parameters) == {name for name, _ in module.named_parameters()}
    parameters = list(student.parameters.values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    logits = student(torch.from_numpy(IMAGES)).logits
    gradients = torch.autograd.grad(logits.square().sum(), parameters)
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)


@pytest.mark.parametrize("numerics", ["int8_dynamic", "int8_static"])
def test_nothing_stays_behind_on_another_device(numerics: Numerics) -> None:
    rewrites: tuple[Rewrite, ...] = ("class_token_only", "patches_as_linear", "explicit_attention")
    module = vit().eval()
    student = trainable(module)
    simulate(student.graph, scheme_of(module, numerics, STATIC, rewrites), IMAGES)
    student.move_to("meta")
    found = student(torch.from_numpy(IMAGES).to("meta"))  # an op refuses tensors of two devices
    assert {part.device.type for part in (found.logits, *found.features)} == {"meta"}


def test_a_static_layer_has_the_ranges_of_the_calibration_images() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()).eval()
    student = trainable(module)
    ranges = simulate(student.graph, scheme_of(module, "int8_static"), IMAGES)
    one = torch.full((1, 3, SIDE, SIDE), 1000.0)
    low, high = (torch.tensor(float(value)) for value in (IMAGES.min(), IMAGES.max()))
    conv = module[0]
    assert isinstance(conv, nn.Conv2d)
    weight = fake_quantize_weight(conv.weight, 127)
    expected = nn.functional.conv2d(fake_quantize_between(one, low, high), weight, conv.bias).flatten(1)
    torch.testing.assert_close(student(one).logits, expected, rtol=1e-5, atol=1e-5)
    ranges.measure()
    torch.testing.assert_close(student(one).logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["min_max", "mean_min_max", "mse", "percentile_99.999"])
@pytest.mark.parametrize("by", ["tensor", "channel"])
def test_ranges_are_those_of_the_method_over_the_calibration_images(
    method: RangeMethod, by: Literal["tensor", "channel"]
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 1, groups=3), nn.Flatten()).eval()
    student = trainable(module)
    scheme = scheme_of(module, "int8_static", Int8Arithmetic(depthwise_ranges=by))
    repeats = 12 if method == "min_max" or by == "channel" else 3  # extremes of more images than a mean is taken of
    images = np.concatenate([np.abs(IMAGES)] * repeats)
    images[1] *= 3
    simulate(student.graph, replace(scheme, ranges=method), images)
    (buffer,) = [value for name, value in student.graph.named_buffers() if name.startswith("_range")]
    parts = [images] if by == "tensor" else [images[:, channel] for channel in range(3)]
    used = method if by == "tensor" else "min_max"
    expected = [tensor_ranges([{"x": image} for image in part], used)["x"] for part in parts]
    torch.testing.assert_close(buffer.reshape(2, -1).double(), torch.tensor(expected).double().T, rtol=1e-6, atol=0)


def test_layers_that_the_artifact_has_in_float_stay_float() -> None:
    module = vit().eval()
    scheme = scheme_of(module, "float")
    student = trainable(module)
    simulate(student.graph, scheme, IMAGES)
    with torch.no_grad():
        torch.testing.assert_close(student(torch.from_numpy(IMAGES)).logits, module(torch.from_numpy(IMAGES)))


def test_an_artifact_of_other_layers_cannot_be_simulated() -> None:
    scheme = scheme_of(vit(), "int8_dynamic")
    with pytest.raises(CandidateFailed, match="int8 cannot be simulated: the artifact has"):
        simulate(trainable(vit()).graph, replace(scheme, layers=scheme.layers[1:]), IMAGES)


def test_rewrites_are_done_in_their_order_whatever_the_order_given() -> None:
    rewrites: tuple[Rewrite, ...] = ("explicit_attention", "class_token_only")
    assert sorted(rewrites, key=REWRITES.index) != list(rewrites)
    module = vit().eval()
    scheme = scheme_of(module, "int8_static", STATIC, ("class_token_only", "explicit_attention"))
    student = trainable(module)
    simulate(student.graph, replace(scheme, preparations=rewrites), IMAGES)
    assert torch.isfinite(student(torch.from_numpy(IMAGES)).logits).all()
