"""Plans that a spec names, and sizes that are looked at by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.search.plans import named_plans, searched_sizes
from tests.pipeline.contexts import CONTRACT_32


def test_what_a_model_cannot_carry_out_is_told() -> None:
    plans, refused, is_searched = named_plans(digits_cnn().eval(), "evit:0.7,resolution:24,auto", (32, 32))
    assert list(map(str, plans)) == ["resolution:24"]
    assert list(refused) == ["evit:0.7"]
    assert is_searched


def test_none_is_no_plan() -> None:
    assert named_plans(digits_vit().eval(), "none", (32, 32)) == ((), {}, False)


def test_a_few_smaller_images_are_looked_at_where_there_are_images() -> None:
    module = digits_vit().eval()
    sizes = searched_sizes(module, CONTRACT_32)
    assert 1 <= len(sizes) <= 3
    assert max(sizes) < 32
    assert searched_sizes(module, replace(CONTRACT_32, input="array")) == ()
