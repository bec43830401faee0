"""A plan follows from what a run works with: backends, schemes, token plans, images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.data.sampling import TuningImages  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.plan_run import plan_run  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.resolve import resolve_spec  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import parse_plans  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_inputs, noise  # noqa: E402

VIT = Model("small_vit", small_vit(depth=2), Preprocessing((32, 32), (0.5,) * 3, (0.5,) * 3), 5, random_weights=False)


def spec(**sections: Any) -> Spec:
    return resolve_spec(None, None, {"model": {"name": "small_vit"}, **sections})


def test_by_auto_the_first_scheme_of_the_policy_is_certain() -> None:
    plan = plan_run(make_inputs(spec(), model=VIT), 2)
    assert plan.candidates == (
        "onnxruntime/fp32/dense",
        "onnxruntime/dynamic_wi8_afp32/dense",
        "openvino/fp32/dense",
        "openvino/static_wi8_ai8/dense",
        "litert/fp32/dense",
        "litert/dynamic_wi8_afp32/dense",
    )
    assert plan.jobs == 2
    assert plan.may_add == ("the repair of int8 candidates that lose more than allowed",)


def test_schemes_and_plans_that_are_named_are_all_made() -> None:
    named = spec(export={"backends": ["onnx"], "schemes": ["fp32", "dynamic_wi8_afp32", "static_wi8_ai8"]})
    plans = parse_plans("tome:2@1,resolution:16")
    plan = plan_run(make_inputs(named, model=VIT, plans=plans, forms=("gather",)), 1)
    assert plan.candidates == tuple(
        f"onnxruntime/{scheme}/{slug}"
        for slug in ("dense", "tome-2-1-gather", "resolution-16")
        for scheme in ("fp32", "dynamic_wi8_afp32", "static_wi8_ai8")
    )


def test_floats_alone_need_no_repair_and_a_search_is_named() -> None:
    floats = spec(export={"backends": ["onnx"], "schemes": ["fp32"]})
    plan = plan_run(make_inputs(floats, model=VIT, plans=parse_plans("auto"), forms=("gather",)), 1)
    assert plan.candidates == ("onnxruntime/fp32/dense", "onnxruntime/fp32/plan-found-gather")
    assert plan.may_add == ("the token search",)


def test_a_search_for_the_size_alone_has_one_form() -> None:
    floats = spec(export={"backends": ["onnx"], "schemes": ["fp32"]})
    cnn = replace(VIT, module=digits_cnn().eval())
    plan = plan_run(make_inputs(floats, model=cnn, plans=parse_plans("auto")), 1)
    assert plan.candidates == ("onnxruntime/fp32/dense", "onnxruntime/fp32/plan-found")
    assert plan.may_add == ("the search for the input size",)


def test_what_is_tuned_is_planned_beside_the_untuned() -> None:
    named = spec(
        export={"backends": ["onnx"], "schemes": ["dynamic_wi8_afp32"]},
        passes={"tokens": "tome:2@1"},
        finetune={"mode": "quick"},
    )
    images = noise(8)
    inputs = make_inputs(named, model=VIT, forms=("gather",), tuning_images=TuningImages(images, images))
    plan = plan_run(inputs, 1)
    assert plan.candidates[2:] == tuple(
        f"onnxruntime/{scheme}/tome-2-1-gather{rung}"
        for rung in ("", "-quick")
        for scheme in ("fp32", "dynamic_wi8_afp32")
    )
    assert [stage.count for stage in plan.stages if stage.kind == "fine-tune"] == [1]
    whole = plan_run(replace(inputs, plans=()), 1)
    assert whole.candidates[2:] == ("onnxruntime/fp32/dense-quick", "onnxruntime/dynamic_wi8_afp32/dense-quick")
    auto = spec(passes={"tokens": "tome:2@1"}, finetune={"mode": "auto"})
    found = plan_run(make_inputs(auto, model=VIT, tuning_images=TuningImages(images, images)), 1)
    assert found.may_add[-1] == "fine-tuning of what loses more than allowed, up to 20 min each time"
    assert not [name for name in found.candidates if "quick" in name or "full" in name]


def test_a_quick_look_has_no_repair_and_fewer_rounds() -> None:
    plans = [plan_run(make_inputs(spec(quick=quick), model=VIT), 1) for quick in (False, True)]
    assert plans[1].may_add == ()
    assert plans[1].seconds < plans[0].seconds


def test_what_is_only_exported_takes_less() -> None:
    inputs = make_inputs(spec(), model=VIT)
    assert plan_run(inputs, 1, measures=False).seconds < plan_run(inputs, 1).seconds
