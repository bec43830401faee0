"""A user's file gets all of its errors at once, each with its path."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgevit.errors import UsageError
from edgevit.spec.toml_files import validate


class Inner(BaseModel):
    """A section."""

    model_config = ConfigDict(extra="forbid")

    latency_ms: float = Field(gt=0)

    @field_validator("latency_ms")
    @classmethod
    def _not_thirteen(cls, value: float) -> float:
        if value == 13:
            raise ValueError("thirteen is refused")
        return value


class Outer(BaseModel):
    """A file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    inner: Inner | None = None


def complaint(document: dict[str, object]) -> str:
    with pytest.raises(UsageError) as error:
        validate(Outer, document, "spec.toml")
    assert error.value.message.startswith("spec.toml is not valid:\n  ")
    return error.value.message


def test_a_valid_document_is_returned() -> None:
    assert validate(Outer, {"name": "a", "inner": {"latency_ms": 1}}, "spec.toml") == Outer(
        name="a", inner=Inner(latency_ms=1)
    )


def test_every_error_at_once() -> None:
    text = complaint({"inner": {"latency_ms": -1}, "other": 1})
    assert "name: " in text
    assert "inner.latency_ms: " in text
    assert "other: unknown key; known: inner, name" in text


def test_an_unknown_key_gets_the_nearest_of_its_section() -> None:
    assert "inner.latency_m: unknown key; did you mean latency_ms?" in complaint(
        {"name": "a", "inner": {"latency_m": 1}}
    )
    assert "nam: unknown key; did you mean name?" in complaint({"nam": "a"})


def test_own_checks_are_said_in_their_own_words() -> None:
    assert "inner.latency_ms: thirteen is refused" in complaint({"name": "a", "inner": {"latency_ms": 13}})
