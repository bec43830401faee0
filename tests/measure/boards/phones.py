"""A phone that is a folder of this machine, behind a fake adb on the PATH."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERIAL = "R58"
ELF_ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + (183).to_bytes(2, "little") + bytes(100)
"""Head of a program for aarch64."""


@dataclass(frozen=True)
class FakePhone:
    """The folder that is the phone, and how it can be made to misbehave."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def cache(self) -> Path:
        return self.folder / "data/local/tmp/edgevit"

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls.txt").read_text(encoding="utf-8").splitlines()

    @property
    def left(self) -> list[str]:
        """Names of what is in the cache folder of the phone."""
        return sorted(path.name for path in self.cache.iterdir()) if self.cache.is_dir() else []

    def fault(self, name: str) -> None:
        self.monkeypatch.setenv("FAKE_FAULT", name)

    def prints(self, *transcripts: str, status: int = 0) -> None:
        """Makes every benchmark_model print recorded transcripts."""
        files = " ".join(str(HERE / "transcripts/benchmark_model" / f"{name}.txt") for name in transcripts)
        self.runs(f"cat /dev/null {files}\nexit {status}")

    def runs(self, script: str) -> None:
        """Makes every benchmark_model run a script of sh, whose arguments are appended to arguments.txt."""
        program = self.folder / "benchmark_model"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self.folder}/arguments.txt\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        self.monkeypatch.setenv("FAKE_PROGRAM", str(program))

    @property
    def arguments(self) -> list[str]:
        return (self.folder / "arguments.txt").read_text(encoding="utf-8").splitlines()


def make_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    """Puts a fake adb first on the PATH."""
    folder, programs = tmp_path / "phone", tmp_path / "programs"
    (folder / "data/local/tmp").mkdir(parents=True)
    (folder / "calls.txt").touch()
    programs.mkdir()
    (programs / "adb").symlink_to(HERE / "fake_adb.sh")
    assert shutil.which("sha256sum"), "coreutils"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PHONE", str(folder))
    monkeypatch.setenv("FAKE_FAULT", "")
    phone = FakePhone(folder, monkeypatch)
    phone.prints("tf220_xnnpack_partial")
    return phone
