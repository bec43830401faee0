"""Plans list what is made at least, and their time grows with what there is to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.pipeline.plan import (
    COSTS,
    FLOAT_S_PER_GMAC,
    PER_IMAGE_S,
    PYTORCH_S_PER_GMAC,
    PlannedBackend,
    PlannedScheme,
    PlannedVariant,
    RunFacts,
    make_plan,
)
from edgevit.run.progress import PlannedStages, RunPlan

FACTS = RunFacts(
    backends=(
        PlannedBackend("onnxruntime", (PlannedScheme("dynamic_wi8_afp32", prepared=True),)),
        PlannedBackend("openvino", (PlannedScheme("static_wi8_ai8", prepared=False),)),
    ),
    variants=(PlannedVariant(("dense",)),),
    macs=1_000_000_000,
    images=1000,
    calibration_images=100,
    devices=0,
    training_macs=0,
    min_seconds=2.0,
    rounds=9,
    jobs=1,
    measures=True,
)
REDUCED = PlannedVariant(("tome-8-gather", "tome-8-arithmetic"), 0.5)


def counts(plan: RunPlan) -> dict[str, int]:
    """Number of stages by kind, whether alone or not."""
    found: dict[str, int] = {}
    for stages in plan.stages:
        found[stages.kind] = found.get(stages.kind, 0) + stages.count
    return found


def test_a_plan_names_every_candidate() -> None:
    assert make_plan(FACTS).candidates == (
        "onnxruntime/fp32/dense",
        "onnxruntime/dynamic_wi8_afp32/dense",
        "openvino/fp32/dense",
        "openvino/static_wi8_ai8/dense",
    )


def test_preprocessing_is_put_into_every_artifact() -> None:
    assert "embed" not in counts(make_plan(FACTS))
    plan = make_plan(replace(FACTS, embeds=True, variants=(*FACTS.variants, REDUCED)))
    assert counts(plan)["embed"] == len(plan.candidates) == 2 * (2 + 3)


def test_both_forms_are_made_and_one_is_quantized() -> None:
    plan = make_plan(replace(FACTS, backends=FACTS.backends[:1], variants=(*FACTS.variants, REDUCED)))
    assert plan.candidates[2:] == (
        "onnxruntime/fp32/tome-8-gather",
        "onnxruntime/fp32/tome-8-arithmetic",
        "onnxruntime/dynamic_wi8_afp32/tome-8-gather",
    )


def test_stages_are_counted_by_kind() -> None:
    assert counts(make_plan(FACTS)) == {
        "preprocess": 2,
        "capture": 1,
        "find": 1,
        "evaluate": 1 + 4,
        "measure": 1 + 4,
        "export": 2 + 1,
        "quantize": 2,
        "keep": 2,
        "time": 1,
    }
    trained = make_plan(replace(FACTS, training_macs=10**12, devices=2, variants=(*FACTS.variants, REDUCED)))
    assert counts(trained)["distill"] == 1
    assert counts(trained)["capture"] == 2 + 2
    assert counts(trained)["predict"] == len(trained.candidates) == 10


def test_what_is_only_made_is_not_measured() -> None:
    plan = make_plan(replace(FACTS, measures=False, devices=1))
    assert not {"time", "predict", "measure"} & counts(plan).keys()


def test_the_time_of_a_stage_follows_from_its_costs() -> None:
    facts = replace(FACTS, backends=(PlannedBackend("litert", ()),), calibration_images=0)
    stages = {(each.kind, each.alone): each for each in make_plan(facts).stages}
    assert stages["export", False] == PlannedStages("export", 1, COSTS["litert"].export_s)
    one, other = 1000 * (FLOAT_S_PER_GMAC + PER_IMAGE_S), 1000 * PYTORCH_S_PER_GMAC
    assert stages["evaluate", False].seconds == pytest.approx((one + other) / 2)


@pytest.mark.parametrize(
    "more",
    [
        {"images": 2000},
        {"macs": 2_000_000_000},
        {"calibration_images": 200},
        {"devices": 1},
        {"training_macs": 10**12},
        {"min_seconds": 4.0},
        {"rounds": 10},
        {"variants": (*FACTS.variants, REDUCED)},
    ],
)
def test_more_work_takes_longer(more: dict[str, object]) -> None:
    assert make_plan(replace(FACTS, **more)).seconds > make_plan(FACTS).seconds  # type: ignore[arg-type]


def test_jobs_shorten_what_may_run_beside_others_only() -> None:
    plans = [make_plan(replace(FACTS, jobs=jobs)) for jobs in (1, 2, 4)]
    alone = sum(each.count * each.seconds for each in plans[0].stages if each.alone)
    assert plans[0].seconds > plans[1].seconds > plans[2].seconds > alone
    assert plans[0].seconds == pytest.approx(sum(each.count * each.seconds for each in plans[0].stages))


def test_a_backend_that_was_not_measured_is_planned_too() -> None:
    assert make_plan(replace(FACTS, backends=(PlannedBackend("new", ()),))).candidates == ("new/fp32/dense",)


def test_further_sets_are_evaluated_by_each_candidate() -> None:
    before, after = counts(make_plan(FACTS)), counts(make_plan(replace(FACTS, other_images=(100, 200))))
    candidates = len(make_plan(FACTS).candidates)
    assert after["evaluate"] == before["evaluate"] + 2 * (candidates + 1)
    assert after["preprocess"] == before["preprocess"] + 2


def test_fine_tuning_takes_as_long_as_its_views_and_no_longer_than_its_limit() -> None:
    def tuning_s(variant: PlannedVariant) -> float:
        (found,) = [
            s for s in make_plan(replace(FACTS, variants=(*FACTS.variants, variant))).stages if s.kind == "fine-tune"
        ]
        return found.seconds

    tuned = PlannedVariant(("tome-8-gather-quick",), 0.5, tuning_views=1000)
    whole = 1000 * (3.0 * 0.5 + 1) * PYTORCH_S_PER_GMAC  # forward and backward of the student, forward of the teacher
    assert tuning_s(tuned) == pytest.approx(whole)
    assert tuning_s(replace(tuned, tuning_limit_s=10.0)) == 10.0
