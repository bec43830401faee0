"""Every shipped device and profile is valid, and every name in a profile is known."""

from __future__ import annotations

import pytest

from edgevit.backends import check_scheme, get_backend
from edgevit.devices.device import load_device
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import AUTO
from edgevit.spec.toml_files import find, names, read_toml


@pytest.mark.parametrize("name", names("devices"))
def test_device(name: str) -> None:
    assert load_device(name).name == name


def test_expected_devices_and_profiles_are_shipped() -> None:
    devices = {"raspberry-pi-4b", "raspberry-pi-5", "jetson-orin-nano", "galaxy-s24-npu", "coral-edge-tpu"}
    assert devices <= set(names("devices"))
    classes = {"jetson-nano", "jetson-orin", "raspberry-pi-zero-2-w", "raspberry-pi-3b-plus", "hexagon-npu", "hailo"}
    assert devices | classes | {"rknn", "apple", "intel-npu", "intel-cpu"} <= set(names("profiles"))


@pytest.mark.parametrize("name", names("profiles"))
def test_every_choice_of_a_profile_has_its_reason_above_it(name: str) -> None:
    lines = find("profiles", name).read_text(encoding="utf-8").splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("["))
    chosen = [index for index, line in enumerate(lines) if index > first and " = " in line and not line.startswith("#")]
    assert len(chosen) >= 5
    assert [lines[index] for index in chosen if not lines[index - 1].startswith("# ")] == []


@pytest.mark.parametrize("name", names("profiles"))
def test_profile(name: str) -> None:
    document = read_toml(find("profiles", name))
    assert len(document["about"]) > 20
    assert {"backends", "schemes"} <= set(document["export"])
    assert {"tokens", "form"} <= set(document["passes"])
    assert {"max_drop"} <= set(document["budget"])
    spec = resolve_spec(None, name, {"model": {"name": "digits_vit"}})
    backends = [get_backend(backend) for backend in spec.export.backends]
    for scheme in spec.export.schemes:
        if scheme != AUTO:
            for backend in backends:
                check_scheme(backend, scheme)
    for device in spec.devices:
        units = load_device(device).units
        for backend in backends:
            assert any(backend.format in unit.formats for unit in units)
