"""What a key takes, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from edgevit.gate.budget import Budget, DeviceBudget
from edgevit.spec.keys import section_of, type_words
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides, Spec


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (int | None, "integer"),
        (Annotated[float, Field(gt=0)], "number"),
        (Annotated[float, Field(gt=0)] | None, "number"),
        (str | float, "text or number"),
        (Path | None, "path"),
        (Literal["auto", "none"], '"auto" or "none"'),
        (tuple[float, float, float], "3 numbers"),
        (tuple[str, ...], "list of text"),
    ],
)
def test_a_type_in_words(annotation: Any, words: str) -> None:
    assert type_words(annotation) == words


@pytest.mark.parametrize("model", [Spec, Budget])
def test_every_key_of_a_file_has_words(model: type[BaseModel]) -> None:
    for field in model.model_fields.values():
        section = section_of(field.annotation)
        if section:
            test_every_key_of_a_file_has_words(section)
        else:
            assert type_words(field.annotation)


def test_a_section_is_found_also_where_it_may_be_left_out_or_is_in_a_table() -> None:
    assert section_of(ModelSpec) is ModelSpec
    assert section_of(PreprocessingOverrides | None) is PreprocessingOverrides
    assert section_of(dict[str, DeviceBudget]) is DeviceBudget
    assert section_of(tuple[str, ...]) is None
