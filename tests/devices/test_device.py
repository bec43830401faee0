"""Device files: what is accepted, what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.devices.device import Device, load_device
from edgevit.errors import UsageError
from edgevit.spec.toml_files import find, names, read_toml, validate


def quantities(value: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every table with a "value" in a document, with its path."""
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in quantities(item, f"{path}[{i}]")]
    if not isinstance(value, dict):
        return []
    here = [(path, value)] if "value" in value else []
    return here + [found for key, item in value.items() for found in quantities(item, f"{path}.{key}")]


@pytest.mark.parametrize("name", names("devices"))
def test_every_number_of_a_shipped_device_has_a_source(name: str) -> None:
    for path, quantity in quantities(read_toml(find("devices", name))):
        assert len(quantity["source"]) > 10, path
    sources = load_device(name).sources
    assert sources and all(source.startswith(("https://", "http://")) for source in sources)


def test_what_predictions_are_asked_for_is_shipped() -> None:
    """Boards, modules, accelerators, phones and a PC: the classes that profiles are for, and their relatives."""
    pis = {"raspberry-pi-zero-2-w", "raspberry-pi-3b-plus", "raspberry-pi-4b", "raspberry-pi-5"}
    jetsons = {"nano", "tx2", "xavier-nx", "agx-xavier", "orin-nano", "orin-nx", "agx-orin"}
    snapdragons = {"865", "888", "8-gen-1", "8-gen-2", "8-gen-3", "8-elite"}
    phones = {
        "google-tensor-g3",
        "apple-a14",
        "apple-a15",
        "apple-a16",
        "apple-a17-pro",
        "dimensity-9300",
        "exynos-2400",
    }
    boards = {
        "coral-edge-tpu",
        "hailo-8",
        "hailo-8l",
        "rk3588",
        "rk3566",
        "qcs6490",
        "intel-core-ultra-1",
        "imx8m-plus",
    }
    expected = pis | phones | boards | {f"jetson-{x}" for x in jetsons} | {f"snapdragon-{x}" for x in snapdragons}
    assert expected <= set(names("devices"))


def test_known_facts() -> None:
    pi4, pi5 = load_device("raspberry-pi-4b"), load_device("raspberry-pi-5")
    assert pi4.units[0].peak("float32") == 48e9
    assert pi4.units[0].peak_ops_per_second.float16 is None
    assert (pi4.units[0].kind, pi4.units[0].runtimes) == ("cpu", ("litert", "onnxruntime", "openvino"))
    assert pi5.units[0].peak("int8") > 4 * pi4.units[0].peak("int8")
    assert [unit.name for unit in load_device("jetson-orin-nano").units] == ["gpu", "cpu"]
    assert load_device("coral-edge-tpu").units[0].requires_static_int8
    assert not load_device("galaxy-s24-npu").units[0].requires_static_int8
    nano, orin = load_device("jetson-nano").units[0], load_device("jetson-orin-nano").units[0]
    assert "int8_static" in orin.numerics and "int8_static" not in nano.numerics
    assert [load_device(f"rk{chip}").units[0].name for chip in (3566, 3588)] == ["npu", "npu"]
    with pytest.raises(KeyError):
        pi4.units[0].peak("float16")


def test_unknown_device_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_device("raspbery-pi-5")
    assert "raspberry-pi-5" in (caught.value.hint or "")


def test_a_device_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(find("devices", "raspberry-pi-5").read_bytes())
    assert load_device(str(path)) == load_device("raspberry-pi-5")


def document() -> dict[str, Any]:
    return read_toml(find("devices", "coral-edge-tpu"))


def test_unknown_key_is_refused_with_its_path() -> None:
    broken = document()
    broken["units"][0]["memory_bandwith"] = 1
    with pytest.raises(UsageError, match=r"units\.0\.memory_bandwith: unknown key"):
        validate(Device, broken, "coral.toml")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "fast"])
def test_rates_are_positive_numbers(value: Any) -> None:
    broken = document()
    broken["units"][0]["peak_ops_per_second"]["int8"]["value"] = value
    with pytest.raises(UsageError, match=r"units\.0\.peak_ops_per_second\.int8\.value"):
        validate(Device, broken, "coral.toml")


def test_a_number_without_source_is_refused() -> None:
    broken = document()
    del broken["units"][0]["roofline"]["bandwidth_efficiency"]["source"]
    with pytest.raises(UsageError, match=r"bandwidth_efficiency\.source"):
        validate(Device, broken, "coral.toml")


def test_a_roofline_needs_rates_for_all_numerics() -> None:
    broken = document()
    broken["units"][0]["numerics"] = {"int8_static": "float16", "float": "float16"}
    del broken["units"][0]["memory_bandwidth_bytes_per_second"]
    with pytest.raises(UsageError) as caught:
        validate(Device, broken, "coral.toml")
    missing = "efficiency.float, peak_ops_per_second.float16, memory_bandwidth_bytes_per_second"
    assert f"units.0.roofline: a roofline of these numerics needs {missing}" in caught.value.message


def test_a_power_mode_is_one_of_those_listed() -> None:
    broken = document() | {"power_mode": "15 W", "power_modes": [{"name": "7 W", "watts": 7.0, "source": "data sheet"}]}
    with pytest.raises(UsageError, match="power_mode: is none of power_modes: 7 W"):
        validate(Device, broken, "coral.toml")
    assert validate(Device, broken | {"power_mode": "7 W"}, "coral.toml").power_modes[0].watts == 7


def test_every_fault_of_a_file_is_told_with_its_path(tmp_path: Path) -> None:
    """More of them than other documents are told of at once."""
    text = find("devices", "jetson-orin-nano").read_text(encoding="utf-8")
    text = text.replace("memory_bytes = { value = 8e9", "memory_bytes = { value = -8e9")
    text = text.replace('kind = "cpu"', 'kind = "dsp"').replace(
        '["onnxruntime", "litert"]', '["onnxruntime", "tflite"]'
    )
    text = text.replace('"float16", int8_static', '"float64", int8_static').replace("bandwidth_bytes", "bandwith_bits")
    text = text.replace("per_op_overhead_ms = { value = 0.015,", "per_op_overhead_ms = {")
    text = text.replace("low_factor = 0.45", 'low_factor = "half"').replace("high_factor", "hi_factor")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_device(str(path))
    faults = caught.value.message.splitlines()[1:]
    assert sorted(fault.split(": ")[0].strip() for fault in faults) == [
        "memory_bytes.value",
        "units.0.memory_bandwith_bits_per_second",
        "units.0.numerics.int8_weights",
        "units.0.roofline.interval.hi_factor",
        "units.0.roofline.interval.high_factor",
        "units.0.roofline.interval.low_factor",
        "units.1.kind",
        "units.1.memory_bandwith_bits_per_second",
        "units.1.roofline.interval.hi_factor",
        "units.1.roofline.interval.high_factor",
        "units.1.roofline.per_op_overhead_ms.value",
        "units.1.runtimes.1",
    ]
    assert "did you mean memory_bandwidth_bytes_per_second" in caught.value.message
    assert "'litert', 'onnxruntime'" in caught.value.message


def test_units_of_the_same_name_are_refused() -> None:
    broken = document()
    broken["units"] *= 2
    with pytest.raises(UsageError, match="distinct names"):
        validate(Device, broken, "coral.toml")
