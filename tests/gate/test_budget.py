"""A budget is read from TOML, or refused with the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edgevit.errors import UsageError
from edgevit.gate.budget import Budget, load_budget


def test_load_budget(tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text("size_bytes = 8_000_000\n[devices.host]\nlatency_p50_ms = 15\n")
    limits = load_budget(file)
    assert limits.size_bytes == 8_000_000
    assert limits.devices["host"].latency_p50_ms == 15


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "states no limit"),
        ("[devices]", "states no limit"),
        ("[devices.host]", "devices.host: states no limit"),
        ("size_bytes = 0", "size_bytes"),
        ("size_bytes = -1", "size_bytes"),
        ("size_bytes = nan", "size_bytes"),
        ("size_bytes = inf", "size_bytes"),
        ("size_bytes = true", "size_bytes"),
        ('size_bytes = "8 MB"', "size_bytes"),
        ("accuracy_drop_points = -0.1", "accuracy_drop_points"),
        ("accuracy_drop_points = nan", "accuracy_drop_points"),
        ("[devices.host]\npeak_rss_bytes = 1\npeak_memory_bytes = 1", "older name of peak_rss_bytes"),
        ("size_byte = 1", "did you mean size_bytes"),
        ("[devices.host]\nlatency_p90_ms = 1", "devices.host.latency_p90_ms: unknown key"),
        ("size_bytes = ", "not valid TOML"),
    ],
)
def test_a_budget_that_is_not_one_is_a_usage_error(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        load_budget(file)
    assert complaint in error.value.message
    assert str(file) in error.value.message


@pytest.mark.parametrize("key", ["peak_rss_bytes", "peak_memory_bytes"])
def test_the_memory_of_a_process_has_an_older_name(key: str) -> None:
    limits = Budget.model_validate({"devices": {"host": {key: 1000}}})
    assert limits.devices["host"].process_bytes == 1000
    assert limits.devices["host"].peak_tensor_bytes is None


def test_a_missing_budget_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_budget(tmp_path / "none.toml")


def test_an_empty_budget_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="states no limit"):
        Budget()
