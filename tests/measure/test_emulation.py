"""Emulated processors are told apart by what emulators do not hide."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure import emulation as module
from edgevit.measure.emulation import emulation, emulation_from, refuse_emulated

X86 = "cpu:type:x86,ven0002fam0019mod0011:feature:,0000,0001\n"
ARM = "cpu:type:aarch64:feature:,0000,0001,0002\n"


@pytest.mark.parametrize(
    ("machine", "modalias", "programs", "kernel", "words"),
    [
        ("aarch64", X86, ("/usr/bin/qemu-aarch64-static",), "x86_64", "aarch64 programs on a processor of type x86, by qemu-aarch64"),
        ("aarch64", "", ("/userland/usr/bin/python3.11",), "x86_64", "aarch64 programs on a processor of type x86_64"),
        ("aarch64", X86, (), "aarch64", "type x86"),
        ("armv7l", "", ("/usr/libexec/qemu-binfmt/qemu-arm",), "armv7l", "armv7l programs, by qemu-arm"),
        ("x86_64", ARM, ("/run/rosetta/rosetta",), "x86_64", "x86_64 programs on a processor of type aarch64, by rosetta"),
        ("riscv64", X86, (), "", "riscv64 programs"),
    ],
)  # fmt: skip
def test_what_gives_an_emulator_away(
    machine: str, modalias: str, programs: tuple[str, ...], kernel: str, words: str
) -> None:
    assert words in emulation_from(machine, modalias, programs, kernel)


@pytest.mark.parametrize(
    ("machine", "modalias", "programs", "kernel"),
    [
        ("aarch64", ARM, ("/usr/bin/python3.11",), "aarch64"),
        ("armv7l", ARM, ("/usr/bin/python3.9",), "aarch64"),  # a 32-bit system on a 64-bit kernel
        ("aarch64", "", (), ""),
        ("x86_64", X86, ("/home/qemu-tests/bin/python3",), "x86_64"),
        ("i686", X86, (), "x86_64"),
    ],
)
def test_what_is_no_emulator(machine: str, modalias: str, programs: tuple[str, ...], kernel: str) -> None:
    assert emulation_from(machine, modalias, programs, kernel) == ""


def test_this_machine_is_none_and_a_pretended_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert emulation() == ""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert emulation() != "", "its kernel names another processor"
    monkeypatch.setattr(module, "_kernel_machine", lambda: "")
    assert emulation(tmp_path) == "", "where nothing can be read, nothing is claimed"
    thread = tmp_path / "proc" / "self" / "task" / "7"
    thread.mkdir(parents=True)
    (thread / "exe").symlink_to("/usr/bin/qemu-riscv64-static")
    assert "qemu-riscv64" in emulation(tmp_path)


def test_what_cannot_be_run_or_read_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "iterdir", refuse)
    monkeypatch.setattr("subprocess.run", refuse)
    assert emulation() == ""


def test_nothing_rests_on_emulated_times() -> None:
    refuse_emulated("", "calibrated")
    with pytest.raises(UsageError, match=r"cannot be calibrated: aarch64 programs") as error:
        refuse_emulated("aarch64 programs on x86", "calibrated")
    assert error.value.hint
