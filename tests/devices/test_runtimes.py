"""Runtimes: each name has one, and reads a format that edgevit makes."""

from __future__ import annotations

from edgevit.backends import all_backends
from edgevit.devices.device import load_device
from edgevit.devices.runtimes import RUNTIME_NAMES, RUNTIMES
from edgevit.spec.toml_files import names


def test_every_name_is_described_once_and_reads_what_a_backend_makes() -> None:
    assert tuple(RUNTIMES) == RUNTIME_NAMES
    made = {backend.format for backend in all_backends()}
    for runtime in RUNTIMES.values():
        assert runtime.formats and set(runtime.formats) <= made


def test_every_runtime_is_one_of_a_shipped_device() -> None:
    used = {name for device in names("devices") for unit in load_device(device).units for name in unit.runtimes}
    assert used == set(RUNTIME_NAMES)
