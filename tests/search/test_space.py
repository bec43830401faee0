"""What may be combined, and what is struck out with its reason."""

from __future__ import annotations

import pytest

from edgevit.results.search import PointSettings
from edgevit.search.space import Change, make_space, parents, to_make
from tests.search.synthetic import PLANS, dimensions, facts


def test_everything_possible_is_there_once() -> None:
    space = make_space(dimensions(rungs=()), facts())
    assert len(space.points) == len(set(space.points)) == 3 * 3 * (1 + len(PLANS))
    assert not space.struck


@pytest.mark.parametrize(
    ("change", "what", "why", "left"),
    [
        (
            {"has_scheme": lambda backend, scheme: backend != "litert" or scheme == "fp32"},
            "litert × ",
            "no such scheme",
            35,
        ),
        ({"calibrated": False}, "static_wi8_ai8 × no calibration images", "--calibration", 30),
        (
            {"is_computed": lambda scheme: scheme != "dynamic_wi8_afp32"},
            "dynamic_wi8_afp32 × this processor",
            "needs",
            30,
        ),
        ({"fits_io": lambda scheme: scheme == "static_wi8_ai8"}, "dynamic_wi8_afp32 × integer I/O", "static int8", 30),
        ({"refused": lambda tokens: "no tokens" if tokens == "tome:4" else ""}, "net × tome:4", "no tokens", 36),
        (
            {"unsupported": lambda backend, change: "no TopK" if change == Change("evit:0.7", "gather") else ""},
            "onnxruntime × evit:0.7 (gather)",
            "no TopK",
            36,
        ),
    ],
)
def test_what_is_impossible_is_struck_out(change: dict[str, object], what: str, why: str, left: int) -> None:
    space = make_space(dimensions(rungs=()), facts(**change))
    assert len(space.points) == left
    assert any(each.what.startswith(what) and why in each.reason for each in space.struck)
    assert sum(each.points for each in space.struck) == 45 - left


def test_fine_tuning_needs_something_to_regain_and_numbers_to_train_in() -> None:
    space = make_space(dimensions(schemes=("weight_only_wi8_afp32",)), facts())
    tuned = [point for point in space.points if point.finetune != "none"]
    assert {(point.scheme, point.tokens != "none") for point in tuned} == {("fp32", True)}
    assert {each.what for each in space.struck} == {"fp32 × fine-tuning", "weight_only_wi8_afp32 × fine-tuning"}


def test_a_tuned_point_is_made_from_three_others() -> None:
    point = PointSettings(
        "net", "openvino", "static_wi8_ai8", "tome:8", "gather", finetune="quick", float_layers=("head",)
    )
    ids = [each.id for each in (*parents(point), point)]
    assert ids == [
        "openvino/fp32",
        "openvino/fp32/tome-8-gather",
        f"openvino/static_wi8_ai8/tome-8-gather/1-float-{point.layers_digest}",
        f"openvino/static_wi8_ai8/tome-8-gather/quick/1-float-{point.layers_digest}",
    ]
    assert to_make(point, parents(point)[:2]) == (parents(point)[2], point)
    assert parents(parents(point)[0]) == ()
