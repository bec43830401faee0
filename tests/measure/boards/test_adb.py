"""The adb client: its errors told apart, with a fake one and with the real one where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgevit.errors import CandidateFailed, DiskFull, UsageError
from edgevit.measure.boards.adb import Adb
from tests.measure.boards.phones import SERIAL, FakePhone


def test_shell_gives_output_and_status(phone: FakePhone) -> None:
    done = Adb(SERIAL).shell("echo one; echo two >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("one\n", "two\n", 3)
    assert phone.calls[-1].startswith("-s R58 shell (echo one")


def test_output_without_a_last_line_end(phone: FakePhone) -> None:
    assert Adb(SERIAL).shell("printf half").stdout == "half"


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        ("unauthorized", "does not trust this computer yet", "allow USB debugging"),
        ("offline", "is offline", "plug it in again"),
        ("absent", "no phone R58 is connected", "adb knows R58, X99"),
        ("several", "several phones are connected", "adb:SERIAL"),
        ("no permissions", "may not use the USB device", "udev"),
        ("no server", "the server of adb does not work", "kill-server"),
        ("recovery", "in the state 'recovery'", "start Android"),
    ],
)
def test_a_phone_that_cannot_be_used(phone: FakePhone, fault: str, words: str, hint: str) -> None:
    phone.fault(fault)
    with pytest.raises(UsageError, match=words) as caught:
        Adb(SERIAL).connect()
    assert hint in str(caught.value.hint)


def test_no_adb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match="there is no adb on this machine"):
        Adb(SERIAL).connect()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("no space", DiskFull, "no space left on the phone R58"),
        ("read only", CandidateFailed, "does not let /data/local/tmp/x be written"),
        ("unplugged in push", CandidateFailed, "the connection to the phone R58 was lost: adb: error: failed to read"),
    ],
)
def test_files_that_do_not_arrive(
    phone: FakePhone, tmp_path: Path, fault: str, error: type[Exception], words: str
) -> None:
    phone.fault(fault)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(error, match=words):
        Adb(SERIAL).push(tmp_path / "file", "/data/local/tmp/x")


def test_lost_connection(phone: FakePhone) -> None:
    phone.fault("unplugged in run")
    with pytest.raises(
        CandidateFailed, match="the connection to the phone R58 was lost: error: device 'R58' not found"
    ):
        Adb(SERIAL).shell("exec true")


def test_no_answer(phone: FakePhone) -> None:
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        Adb(SERIAL).shell("sleep 5", 0.3)


@pytest.mark.skipif(shutil.which("adb") is None, reason="adb is not installed (Debian: apt install adb)")
def test_the_real_client_without_a_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a port of its own, so that no server of anybody is disturbed; its server ends with the test."""
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "53471")
    try:
        with pytest.raises(UsageError, match="no phone nosuchphone is connected") as caught:
            Adb("nosuchphone").connect()
        assert "adb knows none" in str(caught.value.hint) or "adb knows " in str(caught.value.hint)
        with pytest.raises(CandidateFailed, match="'nosuchphone' not found"):
            Adb("nosuchphone").shell("true")
    finally:
        subprocess.run(("adb", "kill-server"), check=False, capture_output=True)
