"""Recipes name the layers that stay float."""

from __future__ import annotations

from edgevit.results.graph import Op
from edgevit.spec.recipe import OpKind, Recipe


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
