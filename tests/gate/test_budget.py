"""A budget is read from TOML, or refused with the key."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from edgevit.errors import UsageError
from edgevit.gate.budget import Budget, load_budget
from edgevit.gate.limits import Difference, Limit


def test_load_budget(tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text("size_bytes = 8_000_000\n[devices.host]\nlatency_p50_ms = 15\n")
    limits = load_budget(file)
    assert limits.size_bytes == Limit(max=8_000_000)
    assert limits.devices["host"].latency_p50_ms == Limit(max=15)


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
        ('size_bytes = "8 MT"', "size_bytes: unknown unit 'MT'; known: B, kB"),
        ('size_bytes = "big"', "size_bytes: 'big' is no quantity such as"),
        ("size_bytes = {}", "size_bytes: states no bound"),
        ("size_bytes = {mx = 1}", "size_bytes: unknown key 'mx'; did you mean max"),
        ('size_bytes = {max = "1 MB", min = "2 MB"}', "size_bytes: contradicts itself"),
        ('size_bytes = {max = 1, level = "eror"}', "size_bytes: level: 'eror' is none of error, warn, off"),
        ('size_bytes = {max = 1, level = "off"}', "every one is off"),
        ("top1 = 98", "top1: has to be at least 0 and at most 1, not 98"),
        ('top1 = {max_decrease = "1 %"}', "could be meant in two ways"),
        ("latency_p50_ms = 1", "latency_p50_ms: unknown key"),
        ("sizebytes = 1", "did you mean size_bytes"),
        ('[devices.raspberry-pi-5]\nlatency_p50_ms = 1\ncpu = "A*"', "devices.raspberry-pi-5.cpu"),
        ('[artifacts."litert/*"]', "artifacts.litert/*: states no limit"),
        ('[artifacts."litert/*"]\nsize_byte = 1', "artifacts.litert/*.size_byte: unknown key; did you mean size_bytes"),
        ("accuracy_drop_points = -0.1", "accuracy_drop_points"),
        ("accuracy_drop_points = nan", "accuracy_drop_points"),
        ("[devices.host]\npeak_rss_bytes = 1\npeak_memory_bytes = 1", "older name of peak_rss_bytes"),
        ("size_byte = 1", "did you mean size_bytes"),
        ("[devices.host]\nlatency_p95_ms = 1", "devices.host.latency_p95_ms: unknown key; did you mean latency_p9"),
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
    (placed,) = Budget.model_validate({"devices": {"host": {key: 1000}}}).placed()
    assert (placed.path, placed.key, placed.limit.max) == (f"devices.host.{key}", "peak_rss_bytes", 1000)


def test_a_limit_is_a_number_a_quantity_or_a_table() -> None:
    limits = Budget.model_validate(
        {
            "size_bytes": "8 MB",
            "top1": "98 %",
            "macs": {"max": "1.2 G", "max_increase": "5 %", "level": "warn"},
            "agreement": {"max_decrease": "1 pt"},
            "devices": {"host": {"latency_p50_ms": {"max": "15 ms", "min": "500 us", "max_decrease": "2 ms"}}},
            "artifacts": {"litert/*": {"size_bytes": {"max": "4 MiB", "level": "off"}}},
        }
    )
    assert {each.path: each.limit for each in limits.placed()} == {
        "size_bytes": Limit(max=8e6),
        "macs": Limit(max=1.2e9, max_increase=Difference(0.05, True), level="warn"),
        "top1": Limit(min=0.98),
        "agreement": Limit(max_decrease=Difference(0.01, False)),
        "devices.host.latency_p50_ms": Limit(max=15.0, min=0.5, max_decrease=Difference(2.0, False)),
    }
    assert limits.placed_for("litert/*") == ()


def test_the_schema_is_strict_and_has_every_key() -> None:
    schema = Budget.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for good in ({"size_bytes": 1}, {"size_bytes": "1 MB"}, {"size_bytes": {"max": 1, "level": "warn"}}):
        jsonschema.validate(good, schema)
    for bad in (
        {"size_byte": 1},
        {"size_bytes": {"mx": 1}},
        {"size_bytes": True},
        {"devices": {"host": {"size_bytes": 1}}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


def test_a_missing_budget_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_budget(tmp_path / "none.toml")


def test_an_empty_budget_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="states no limit"):
        Budget()
