"""Prunings that a spec names, as points of a search."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from edgevit.data.sampling import RunData
from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.model.load import Model
from edgevit.search.pruned_models import named_prunings
from tests.pipeline.contexts import CONTRACT_32, digits_spec, make_inputs, noise

VIT = make_inputs(
    digits_spec(),
    data=RunData(noise(8, (0,) * 8), noise(12)),
    model=Model("digits_vit", digits_vit().eval(), CONTRACT_32, 10, random_weights=False),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", ()),
        ("mlp=0.25", ("mlp=0.25",)),
        ("heads=2,mlp=0.5", ("mlp=0.5,heads=2",)),
        ("auto", ("mlp=0.125", "mlp=0.25")),
    ],
)
def test_a_pruning_is_a_point_and_auto_is_two(text: str, expected: tuple[str, ...]) -> None:
    assert named_prunings(text, VIT) == (expected, {})


def test_what_a_model_cannot_carry_out_is_told() -> None:
    cnn = replace(VIT, model=replace(VIT.model, module=digits_cnn().eval()))
    plans, refused = named_prunings("mlp=0.25", cnn)
    assert plans == ()
    assert "mlp=0.25" in refused
    without = replace(VIT, data=RunData(noise(8, (0,) * 8), None))
    assert "refits what is left on images" in named_prunings("mlp=0.25", without)[1]["mlp=0.25"]
