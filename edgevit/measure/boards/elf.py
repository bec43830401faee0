"""Whether a program or library is made for 64-bit Android, from its ELF header."""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import UsageError

_MAGIC, _64_BIT, _AARCH64 = b"\x7fELF", 2, 183
_MACHINES = {3: "32-bit x86", 40: "32-bit Arm", 62: "x86-64", 243: "RISC-V", _AARCH64: "aarch64"}
_HEAD_BYTES = 65_536


def check_android_arm64(file: Path, what: str) -> None:
    """Refuses a file that a phone with 64-bit Android cannot run.

    Args:
        file: To check.
        what: It should be, for people.

    Raises:
        UsageError: it cannot be read, is no ELF file, or is for another processor or for Linux with glibc.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(
            f"cannot read {what} {file}: {error.strerror or error}", "give a file that can be read"
        ) from error
    hint = "give the one for android_aarch64, such as android_aarch64_benchmark_model of LiteRT's nightly builds"
    if len(head) < 64 or head[:4] != _MAGIC:
        raise UsageError(f"{what} {file} is no program for Android: it is not an ELF file", hint)
    machine = int.from_bytes(head[18:20], "little")
    if head[4] != _64_BIT or machine != _AARCH64:
        made_for = _MACHINES.get(machine, f"machine {machine}")
        raise UsageError(f"{what} {file} is made for {made_for}, not for aarch64", hint)
    if b"/ld-linux-aarch64.so" in head:
        raise UsageError(f"{what} {file} is made for Linux with glibc, not for Android", hint)
