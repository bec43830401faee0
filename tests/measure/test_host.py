"""The fingerprint names what determines speed, and is complete where a system reports little."""

from __future__ import annotations

import os

import pytest

from edgevit.errors import UsageError
from edgevit.measure import host
from edgevit.measure.cpuinfo import ISA_OF_INTEREST


def test_a_fingerprint_is_whole() -> None:
    found = host.host_fingerprint(threads=3)
    assert found.threads == 3
    assert found.cpu
    assert found.cores >= 1
    assert found.os
    assert found.governor
    assert found.memory_bytes >= 0
    assert set(found.isa) <= set(ISA_OF_INTEREST)


def test_a_silent_system_is_unknown_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_read", lambda path: "")
    monkeypatch.setattr("os.sysconf_names", {}, raising=False)
    found = host.host_fingerprint(threads=1)
    assert (found.isa, found.governor, found.memory_bytes) == ((), "unknown", 0)
    assert found.cpu


def test_more_threads_than_cores_are_noted() -> None:
    assert host.threads_note(4, 4, 2) == "4 threads on 2 cores"
    assert host.threads_note(2, 2, 1) == "2 threads on 1 core"
    assert host.threads_note(2, 2, 2) == ""
    assert host.threads_note(4, 2, 2) == "2 of the 4 threads asked for: the runtime uses no more"


def test_more_threads_than_can_run_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    host.check_threads(8)
    with pytest.raises(UsageError, match="9 threads are more than this machine can use: it has 2 processors") as error:
        host.check_threads(9)
    assert error.value.hint == "the most that is measured is 8; 2 are the most that run side by side"


@pytest.mark.parametrize(
    ("precision", "isa", "known"),
    [
        ("f32", (), True), ("fastest", (), True), ("bf16", ("avx512f", "avx512_bf16"), True), ("bf16", ("bf16",), True),
        ("bf16", ("avx512f", "avx512_vnni"), False),
    ],
)  # fmt: skip
def test_bfloat16_needs_instructions_of_its_own(precision: str, isa: tuple[str, ...], known: bool) -> None:
    assert host.has_precision(precision, isa) == known
