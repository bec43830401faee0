"""Recipes name the layers that stay float; preparations are one table of four groups."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import TypeAdapter

from edgevit.results.graph import Op
from edgevit.spec.recipe import REWRITES, WEIGHT_CHANGES, ExportOption, OpKind, Preparation, QuantizerOption, Recipe


def layer(name: str, macs: int, kind: OpKind = "conv") -> Op:
    return Op(name, "Conv", kind, (), (), macs)


PLAIN = (layer("stem", 100), layer("second", 900), layer("head", 1, "linear"))
SEPARABLE = (layer("stem", 100), layer("depthwise", 50, "depthwise_conv"), layer("pointwise", 200), layer("next", 650))


def test_the_stem_is_one_layer_or_three_where_a_depthwise_one_follows() -> None:
    assert Recipe("static_wi8_ai8", float_stem=True).resolved(PLAIN).float_layers == ("stem",)
    found = Recipe("static_wi8_ai8", float_stem=True).resolved(SEPARABLE).float_layers
    assert found == ("stem", "depthwise", "pointwise")


def test_small_layers_are_found_by_their_share() -> None:
    recipe = Recipe("static_wi8_ai8", float_below_mac_share=0.01)
    assert recipe.resolved(PLAIN).float_layers == ("head",)
    assert recipe.resolved(SEPARABLE).float_layers == ()


def test_named_layers_come_first_and_none_twice() -> None:
    recipe = Recipe("static_wi8_ai8", float_layers=("second", "stem"), float_stem=True)
    resolved = recipe.resolved(PLAIN)
    assert resolved.float_layers == ("second", "stem")
    assert resolved.resolved(PLAIN) == resolved


def test_the_summary_says_what_is_special() -> None:
    recipe = Recipe(
        "static_wi8_ai8", ranges="mse", preparations=("equalize",), float_layers=("a", "b"), reduce_range=True,
        integer_io="int8",
    )  # fmt: skip
    for words in ("mse", "equalize", "2 layers in float", "7-bit weights", "int8 in and out"):
        assert words in recipe.summary
    assert Recipe("dynamic_wi8_afp32").summary == "as the runtime's quantizer does by default"


def test_preparations_are_four_groups_in_this_order() -> None:
    groups = (REWRITES, get_args(ExportOption), get_args(QuantizerOption), WEIGHT_CHANGES)
    assert [name for group in groups for name in group] == [
        "class_token_only",
        "position_before_concat",
        "patches_as_linear",
        "explicit_attention",
        "split_query_key_value",
        "split_massive_neurons",
        "fused_ops",
        "polynomial_gelu",
        "tanh_gelu",
        "tuned_biases",
        "equalize",
        "bias_correction",
    ]


def test_the_groups_are_one_flat_list_in_a_json_schema() -> None:
    names = [*REWRITES, *get_args(ExportOption), *get_args(QuantizerOption), *WEIGHT_CHANGES]
    assert TypeAdapter(Preparation).json_schema()["enum"] == names


def test_a_field_that_came_later_is_marked_as_documents_mark_it() -> None:
    from edgevit.results.document import LATER as MARK
    from edgevit.spec.recipe import LATER

    assert LATER == MARK


@pytest.mark.parametrize(("corrects_biases", "added"), [(False, ()), (True, ("tuned_biases",))])
def test_after_tuning_nothing_changes_the_weights_any_more(
    corrects_biases: bool, added: tuple[QuantizerOption, ...]
) -> None:
    recipe = Recipe("static_wi8_ai8", preparations=("class_token_only", "equalize", "bias_correction"), float_stem=True)
    expected = Recipe("static_wi8_ai8", preparations=("class_token_only", *added), float_stem=True)
    assert recipe.after_tuning(corrects_biases=corrects_biases) == expected
