"""Runtimes: each name has one, and reads a format that edgevit makes."""

from __future__ import annotations

from edgevit.backends import all_backends
from edgevit.devices.runtimes import RUNTIME_NAMES, RUNTIMES


def test_every_name_is_described_once_and_reads_what_a_backend_makes() -> None:
    assert tuple(RUNTIMES) == RUNTIME_NAMES
    made = {backend.format for backend in all_backends()}
    for runtime in RUNTIMES.values():
        assert runtime.formats and set(runtime.formats) <= made
