"""What a spec allows for a model whose inputs are open."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.data.sampling import RunData
from edgevit.quantization.policy import Target
from edgevit.search.model_space import Asked, forms_of, model_space
from edgevit.search.space import Space
from tests.pipeline.contexts import digits_spec, make_inputs, noise

IMAGES = RunData(noise(8, (0,) * 8), noise(4))


def _space(
    plans: tuple[str, ...] = (), *, refused: dict[str, str] | None = None, data: RunData = IMAGES, **spec: Any
) -> Space:
    inputs = make_inputs(digits_spec(**spec), data=data)
    target = Target("transformer", False, "none", ("avx2", "avx512_vnni"))
    return model_space(Asked("digits_vit", inputs.spec, inputs, target), plans, refused or {})


def _schemes(space: Space, backend: str) -> set[str]:
    return {point.scheme for point in space.points if point.backend == backend}


def test_auto_is_what_the_policies_of_all_runtimes_try() -> None:
    space = _space(export={"backends": ["onnx", "openvino"]})
    assert {"fp32", "static_wi8_ai8"} <= _schemes(space, "openvino")
    assert "dynamic_wi8_afp32" in _schemes(space, "onnxruntime")
    assert "dynamic_wi8_afp32" not in _schemes(space, "openvino")


def test_both_forms_of_a_plan_are_points_and_a_size_has_none() -> None:
    space = _space(("evit:0.7", "resolution:24"), export={"backends": ["onnx"], "schemes": ["fp32"]})
    assert [(point.tokens, point.form) for point in space.points] == [
        ("none", "none"),
        ("evit:0.7", "gather"),
        ("evit:0.7", "arithmetic"),
        ("resolution:24", "none"),
    ]
    assert forms_of("resolution:24+evit:0.7", make_inputs(digits_spec())) == ("gather", "arithmetic")


def test_layers_are_not_chosen_by_a_scheme() -> None:
    space = _space(export={"backends": ["onnx"], "schemes": ["mixed_wi8_ai8", "static_wi8_ai8"]})
    assert _schemes(space, "onnxruntime") == {"fp32", "static_wi8_ai8"}


def test_without_calibration_images_static_schemes_are_struck_out() -> None:
    space = _space(data=RunData(IMAGES.evaluation, None), export={"backends": ["onnx"], "schemes": ["static_wi8_ai8"]})
    assert _schemes(space, "onnxruntime") == {"fp32"}
    assert "--calibration" in space.struck[0].reason


def test_a_plan_that_the_model_cannot_carry_out_is_struck_out() -> None:
    space = _space(refused={"evit:0.7": "it has no tokens"}, export={"backends": ["onnx"], "schemes": ["fp32"]})
    assert len(space.points) == 1
    assert space.struck[0].reason == "it has no tokens"


def test_prunings_are_points_and_one_that_is_refused_is_struck_out() -> None:
    inputs = make_inputs(digits_spec(export={"backends": ["onnx"], "schemes": ["fp32"]}), data=IMAGES)
    target = Target("transformer", False, "none", ("avx2", "avx512_vnni"))
    asked = Asked("digits_vit", inputs.spec, inputs, target)
    space = model_space(asked, (), {}, ("mlp=0.25",), {"channels=0.2": "it has none"})
    assert [point.prune for point in space.points] == ["none", "mlp=0.25"]
    assert [struck.what for struck in space.struck] == ["digits_vit × channels=0.2"]
