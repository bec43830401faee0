"""The repair ladder: its order, where it stops, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgevit.errors import CandidateFailed
from edgevit.quantization.ladder import best, climb, rungs
from edgevit.quantization.policy import FirstGuess
from edgevit.results.candidate import Attempt
from edgevit.spec.recipe import TRANSFORMER_FLOAT_KINDS, Recipe

GUESS = FirstGuess(
    architecture="cnn",
    unit="cpu",
    schemes=("static_wi8_ai8",),
    ranges=("min_max", "mse", "percentile_99.999"),
)
FIRST = Recipe("static_wi8_ai8")
Loss = Callable[[Recipe], float | None]


def climbed(
    loss: Loss, limit: float = 1.0, first: Recipe = FIRST, gptq: tuple[str, ...] = (), steps: int = 99
) -> tuple[Attempt, ...]:
    """Climbs where every recipe loses what ``loss`` says, with time for so many steps."""
    made: list[str] = []

    def attempt(rung: str, recipe: Recipe) -> Attempt:
        made.append(rung)
        return Attempt(rung, recipe, None, None, loss(recipe), 1.0)

    def ranking(recipe: Recipe) -> tuple[str, ...]:
        return tuple("abcdefghijklmnopqrstuvwxyz")

    return climb(first, rungs(first, GUESS, gptq), attempt, ranking, limit, lambda: len(made) <= steps)


def names(attempts: tuple[Attempt, ...]) -> list[str]:
    return [attempt.rung for attempt in attempts]


def test_what_holds_at_once_is_not_repaired() -> None:
    assert names(climbed(lambda recipe: 1.0)) == ["policy"]


def test_the_rungs_in_order() -> None:
    assert names(climbed(lambda recipe: 5.0, gptq=("static_wi8_ai8",))) == [
        "policy",
        "ranges: mse",
        "ranges: percentile_99.999",
        "equalize",
        "bias correction",
        "adds, normalization, activations in float",
        "layers in float: 1",
        "layers in float: 2",
        "layers in float: 4",
        "layers in float: 8",
        "layers in float: 16",
        "GPTQ",
    ]


def test_it_stops_at_the_first_rung_that_holds() -> None:
    attempts = climbed(lambda recipe: 0.5 if len(recipe.float_layers) >= 2 else 5.0)
    assert names(attempts)[-1] == "layers in float: 2"
    assert best(attempts).recipe.float_layers == ("a", "b")


def test_quantized_adds_are_repaired() -> None:
    """A transformer taken for a CNN loses everything until its adds are float."""
    attempts = climbed(lambda recipe: 0.2 if recipe.float_kinds else 82.0)
    assert names(attempts)[-1] == "adds, normalization, activations in float"
    assert best(attempts).recipe.float_kinds == TRANSFORMER_FLOAT_KINDS


def test_gains_add_up_and_what_makes_it_worse_is_left_out() -> None:
    def loss(recipe: Recipe) -> float:
        return 10 - 3 * (recipe.ranges == "mse") + 5 * ("equalize" in recipe.preparations) - len(recipe.float_layers)

    attempts = climbed(loss, limit=0.0, steps=7)
    kept = best(attempts).recipe
    assert kept.ranges == "mse"
    assert kept.preparations == ()


def test_the_best_so_far_is_kept_when_none_holds() -> None:
    attempts = climbed(lambda recipe: 3.0 if recipe.ranges == "mse" else 4.0)
    assert best(attempts).recipe.ranges == "mse"
    assert best(attempts).rung == "ranges: mse"


def test_a_rung_that_fails_is_passed_over() -> None:
    attempts = climbed(lambda recipe: None if "equalize" in recipe.preparations else 5.0 - len(recipe.float_layers))
    assert best(attempts).drop_points is not None
    assert "equalize" not in best(attempts).recipe.preparations


def test_when_nothing_can_be_made_the_first_attempt_says_why() -> None:
    assert best(climbed(lambda recipe: None)).rung == "policy"


def test_time_bounds_the_search() -> None:
    assert names(climbed(lambda recipe: 5.0, steps=2)) == ["policy", "ranges: mse", "ranges: percentile_99.999"]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("dynamic_wi8_afp32", ["policy", "equalize", "bias correction", "layers in float: 1"]),
        ("mixed_wi8_ai8", ["policy", "adds, normalization, activations in float", "layers in float: 1"]),
        ("weight_only_wi4_afp32", ["policy", "layers in float: 1"]),
        ("fp16", ["policy"]),
    ],
)
def test_each_scheme_has_the_rungs_that_make_sense(scheme: str, expected: list[str]) -> None:
    assert names(climbed(lambda recipe: 5.0, first=replace(FIRST, scheme=scheme)))[: len(expected)] == expected


def test_integer_io_keeps_no_layer_in_float() -> None:
    attempts = climbed(lambda recipe: 5.0, first=replace(FIRST, integer_io="int8"))
    assert names(attempts)[-1] == "bias correction"


def test_layers_that_cannot_be_ranked_fail_their_rungs_and_not_the_search() -> None:
    def attempt(rung: str, recipe: Recipe) -> Attempt:
        return Attempt(rung, recipe, None, None, 5.0, 1.0)

    def ranking(recipe: Recipe) -> tuple[str, ...]:
        raise CandidateFailed("no result within 900 s")

    ladder = rungs(FIRST, GUESS, ("static_wi8_ai8",))
    attempts = climb(FIRST, ladder, attempt, ranking, 1.0, lambda: True)
    assert [a.note for a in attempts if a.rung.startswith("layers in float")] == ["no result within 900 s"] * 5
    assert attempts[-1].rung == "GPTQ"
    assert best(attempts).rung == "policy"


def test_what_cannot_be_prepared_is_tried_as_it_is() -> None:
    def attempt(rung: str, recipe: Recipe) -> Attempt:
        note = "changed the logits" if recipe.preparations else ""
        return Attempt(rung, recipe, None, None, None, 1.0, note)

    first = replace(FIRST, preparations=("class_token_only",))
    attempts = climb(first, iter(()), attempt, lambda recipe: (), 1.0, lambda: True)
    assert names(attempts) == ["policy", "without rewrites"]
    assert best(attempts).recipe.preparations == ()
