"""From the command line to a part of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.cli import options
from edgevit.errors import UsageError


@pytest.mark.parametrize(("text", "names"), [(None, None), ("a", ["a"]), (" a, b ,c", ["a", "b", "c"])])
def test_names_with_commas_between(text: str | None, names: list[str] | None) -> None:
    assert options.split(text) == names


@pytest.mark.parametrize("text", ["", ",", "a,", "a,,b", " ,a"])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="empty name"):
        options.split(text)


def test_only_what_was_given_is_in_the_document() -> None:
    found = options.nested(seed=0, model__name="m", model__pretrained=False, data__samples=None, passes__form="auto")
    assert found == {"seed": 0, "model": {"name": "m"}, "passes": {"form": "auto"}}
    assert options.nested() == {}


@pytest.mark.parametrize(
    ("setting", "document"),
    [
        ("seed=3", {"seed": 3}),
        ("model.preprocessing.crop_pct=1.0", {"model": {"preprocessing": {"crop_pct": 1.0}}}),
        ("model.preprocessing.mean=[0, 0.5, 1]", {"model": {"preprocessing": {"mean": [0, 0.5, 1]}}}),
        ("model.name=vit_tiny", {"model": {"name": "vit_tiny"}}),
        ("model.name=a=b", {"model": {"name": "a=b"}}),
        ("model.name=a\nb", {"model": {"name": "a\nb"}}),
    ],
)
def test_a_setting_is_read_as_toml_or_else_as_text(setting: str, document: dict[str, Any]) -> None:
    assert options.with_settings({}, [setting]) == document


def test_settings_join_what_is_there() -> None:
    document = options.with_settings({"model": {"name": "m"}}, ["model.num_classes=5", "seed=1"])
    assert document == {"model": {"name": "m", "num_classes": 5}, "seed": 1}
    assert options.with_settings({"seed": 1}, None) == {"seed": 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["seed"], "--set 'seed' is not KEY=VALUE"),
        (["seed="], "--set 'seed=' is not KEY=VALUE"),
        (["model..name=1"], "is not KEY=VALUE"),
        (["=1"], "--set '=1' is not KEY=VALUE"),
        (["model.name=a"], "model.name is given twice"),
        (["seed=1", "seed=2"], "seed is given twice"),
        (["model.name.first=a"], "model.name.first: name is a value, not a section"),
    ],
)
def test_a_setting_that_cannot_be_taken_is_refused(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options.with_settings({"model": {"name": "m"}}, settings)


def test_a_spec_is_known_by_its_suffix() -> None:
    assert options.spec_file_or_model("a/b.toml") == (Path("a/b.toml"), None)
    assert options.spec_file_or_model("vit_tiny") == (None, "vit_tiny")


def test_a_choice_is_one_of_those_offered() -> None:
    options.check_choice("precision", "f32", options.PRECISIONS)
    with pytest.raises(UsageError, match="unknown precision: 'f23'") as caught:
        options.check_choice("precision", "f23", options.PRECISIONS)
    assert caught.value.hint and "did you mean f32" in caught.value.hint


@pytest.mark.parametrize(("text", "numbers"), [(None, None), ("0.5", (0.5,)), ("0.1,0.2", (0.1, 0.2))])
def test_numbers_are_for_all_channels_or_for_each(text: str | None, numbers: tuple[float, ...] | None) -> None:
    assert options.channels("--mean", text) == numbers


@pytest.mark.parametrize("text", ["a", "", "1,,3"])
def test_anything_else_is_no_value_for_channels(text: str) -> None:
    with pytest.raises(UsageError, match="--mean"):
        options.channels("--mean", text)
