"""Every shipped device and profile is valid, and every name in a profile is known."""

from __future__ import annotations

import pytest

from edgevit.backends import check_scheme, get_backend
from edgevit.devices.device import load_device
from edgevit.spec.schemes import AUTO
from edgevit.spec.spec import resolve_spec
from edgevit.spec.toml_files import find, names, read_toml


@pytest.mark.parametrize("name", names("devices"))
def test_device(name: str) -> None:
    assert load_device(name).name == name


def test_expected_devices_and_profiles_are_shipped() -> None:
    devices = {"raspberry-pi-4b", "raspberry-pi-5", "jetson-orin-nano", "galaxy-s24-npu", "coral-edge-tpu"}
    assert devices <= set(names("devices"))
    assert devices | {"intel-cpu"} <= set(names("profiles"))


@pytest.mark.parametrize("name", names("profiles"))
def test_profile(name: str) -> None:
    document = read_toml(find("profiles", name))
    assert len(document["about"]) > 20
    assert {"backends", "schemes"} <= set(document["export"])
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
