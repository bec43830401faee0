"""Written TOML reads back as the same values."""

from __future__ import annotations

from edgevit.spec.toml_files import parse_toml
from edgevit.spec.write_toml import to_toml


def test_nested_values_read_back() -> None:
    document = {
        "name": 'with "quotes" and \\ and ü',
        "numbers": [1, 2.5, 1e-9],
        "yes": True,
        "empty": [],
        "table": {"inner": {"a key with blanks": 3}, "x": 1.0},
        "rows": [{"a": 1, "deep": {"b": [1]}}, {"a": 2, "more": [{"c": "d"}]}],
    }
    assert parse_toml(to_toml(document)) == document
