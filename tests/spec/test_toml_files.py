"""Shipped files are found by name, read or refused; a user's file gets all of its errors at once, each with its path."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgevit.errors import UsageError
from edgevit.spec import toml_files as shipped


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two devices."""
    (tmp_path / "edgevit").mkdir()
    (tmp_path / "devices").mkdir()
    for name in ("raspberry-pi-5", "coral"):
        (tmp_path / "devices" / f"{name}.toml").write_text(f'name = "{name}"\n')
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "edgevit")
    return tmp_path


def test_names_are_sorted(checkout: Path) -> None:
    assert shipped.names("devices") == ["coral", "raspberry-pi-5"]
    assert shipped.names("profiles") == []


def test_a_wheel_has_them_inside(checkout: Path) -> None:
    inside = checkout / "edgevit" / "shipped_files" / "devices"
    inside.mkdir(parents=True)
    (inside / "only.toml").touch()
    assert shipped.names("devices") == ["only"]


def test_find_by_name_and_by_path(checkout: Path) -> None:
    path = shipped.find("devices", "coral")
    assert shipped.read_toml(path) == {"name": "coral"}
    assert shipped.find("devices", str(path)) == path


def test_an_unknown_name_gets_the_nearest(checkout: Path) -> None:
    with pytest.raises(UsageError, match="unknown device: 'raspberry-pi-6'") as error:
        shipped.find("devices", "raspberry-pi-6")
    assert "did you mean raspberry-pi-5?" in str(error.value.hint)


@pytest.mark.parametrize("name", ["none.toml", "../devices/coral", "coral.json", ""])
def test_no_way_around_the_list(checkout: Path, name: str) -> None:
    with pytest.raises(UsageError):
        shipped.find("devices", name)


@pytest.mark.parametrize(("content", "complaint"), [(b"a = 1\nb = = 2\n", "line 2"), (b"\xff\xfe", "not valid TOML")])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as error:
        shipped.read_toml(file)
    assert str(file) in error.value.message
    assert complaint in error.value.message


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is a folder"):
        shipped.read_toml(tmp_path)


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
        shipped.validate(Outer, document, "spec.toml")
    assert error.value.message.startswith("spec.toml is not valid:\n  ")
    return error.value.message


def test_a_valid_document_is_returned() -> None:
    assert shipped.validate(Outer, {"name": "a", "inner": {"latency_ms": 1}}, "spec.toml") == Outer(
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


def test_a_byte_order_mark_is_no_part_of_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfkey = 1\r\n")
    assert shipped.read_toml(path) == {"key": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "9" * 5000, "too many digits"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "[" * 30 + "]" * 30, "nested more than 20 deep"),
        (".".join("a" * 3000) + " = 1", "nested more than 20 deep"),
    ],
)
def test_what_nobody_writes_by_hand_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        shipped.parse_toml(text)
