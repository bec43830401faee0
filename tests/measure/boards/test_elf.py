"""Programs for other machines are refused before they are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.elf import check_android_arm64
from tests.measure.boards.phones import ELF_ARM64


def test_android_arm64(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(ELF_ARM64)
    check_android_arm64(tmp_path / "program", "--benchmark-model")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#!/bin/sh\n" + bytes(100), "not an ELF file"),
        (b"\x7fELF", "not an ELF file"),
        (ELF_ARM64[:18] + (62).to_bytes(2, "little") + ELF_ARM64[20:], "made for x86-64, not for aarch64"),
        (ELF_ARM64[:4] + b"\x01" + ELF_ARM64[5:18] + (40).to_bytes(2, "little") + bytes(100), "made for 32-bit Arm"),
        (ELF_ARM64[:18] + (999).to_bytes(2, "little") + ELF_ARM64[20:], "machine 999"),
        (ELF_ARM64 + b"/lib/ld-linux-aarch64.so.1\0", "Linux with glibc, not for Android"),
    ],
)
def test_others(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "program").write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        check_android_arm64(tmp_path / "program", "--benchmark-model")
    assert "android_aarch64" in str(caught.value.hint)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read --benchmark-model"):
        check_android_arm64(tmp_path / "none", "--benchmark-model")
