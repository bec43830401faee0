"""A phone's cache, its lock and its programs, on a fake phone that runs the real scripts in a real shell."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgevit.errors import CandidateFailed, DiskFull, UsageError
from edgevit.measure.boards.adb import Adb
from edgevit.measure.boards.phone import FOLDER, clean_phone, use_phone
from edgevit.run.files import file_sha256
from tests.measure.boards.phones import SERIAL, FakePhone


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"model" * 1000)
    return path


def pushes(phone: FakePhone) -> int:
    return sum(" push " in call for call in phone.calls)


def test_a_file_is_sent_once_and_named_by_its_content(phone: FakePhone, file: Path) -> None:
    for _ in range(2):
        with use_phone(Adb(SERIAL)) as opened:
            assert opened.send(file, ".tflite") == f"{FOLDER}/{file_sha256(file)}.tflite"
    assert pushes(phone) == 1
    assert phone.left == [f"{file_sha256(file)}.tflite"]


def test_a_file_that_was_changed_there_is_sent_again(phone: FakePhone, file: Path) -> None:
    with use_phone(Adb(SERIAL)) as opened:
        opened.send(file, ".tflite")
        (phone.cache / f"{file_sha256(file)}.tflite").write_bytes(b"other")
        opened.send(file, ".tflite")
    assert pushes(phone) == 2


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("damaged", CandidateFailed, "arrived damaged"),
        ("no space", DiskFull, "no space left"),
        ("unplugged in push", CandidateFailed, "connection to the phone R58 was lost"),
    ],
)
def test_nothing_half_sent_is_left(
    phone: FakePhone, file: Path, fault: str, error: type[Exception], words: str
) -> None:
    phone.fault(fault)
    with pytest.raises(error, match=words), use_phone(Adb(SERIAL)) as opened:
        opened.send(file, ".tflite")
    assert phone.left == []


def test_a_program_that_hangs_is_ended_there(phone: FakePhone) -> None:
    phone.runs("exec sleep 60")
    program = f"{FOLDER}/{'0' * 64}-benchmark_model"
    with use_phone(Adb(SERIAL)) as opened:
        phone.runs("echo $$ > ${0%/*}/pid; while :; do sleep 1; done")
        with pytest.raises(CandidateFailed, match="did not end within 1 s on the phone, and was ended there"):
            opened.run((program, "--graph=x"), 1.0)
        pid = int((phone.folder / "pid").read_text())
        assert ended(pid)
    assert phone.left == []


def ended(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]:
            return True
        time.sleep(0.1)
    return False


def test_unplugged_during_the_run(phone: FakePhone) -> None:
    with use_phone(Adb(SERIAL)) as opened:
        phone.fault("unplugged in run")
        with pytest.raises(CandidateFailed, match="the connection to the phone R58 was lost") as caught:
            opened.run((f"{FOLDER}/x",), 5.0)
        assert "unplugged" in str(caught.value.hint)
        phone.fault("")


def test_two_at_once(phone: FakePhone) -> None:
    with (
        use_phone(Adb(SERIAL)),
        pytest.raises(UsageError, match=r"process \d+ on .* measures on the phone R58 just now") as caught,
        use_phone(Adb(SERIAL)),
    ):
        pass
    assert "15 minutes" in str(caught.value.hint)
    with use_phone(Adb(SERIAL)):
        assert "lock" in phone.left
    assert phone.left == []


def test_a_lock_that_was_left_behind_ends(phone: FakePhone) -> None:
    lock = phone.cache / "lock"
    lock.mkdir(parents=True)
    (lock / "owner").write_text("process 1 on other 12345678\n")
    (lock / "since").write_text(f"{int(time.time()) - 100}\n")
    with pytest.raises(UsageError, match="process 1 on other measures"), use_phone(Adb(SERIAL)):
        pass
    (lock / "since").write_text(f"{int(time.time()) - 1000}\n")
    with use_phone(Adb(SERIAL)):
        pass
    assert phone.left == []


def test_a_lock_that_another_took_over_ends_the_measurement(phone: FakePhone) -> None:
    with use_phone(Adb(SERIAL)) as opened:
        (phone.cache / "lock/owner").write_text("process 2 on other 87654321\n")
        with pytest.raises(CandidateFailed, match="was taken over by another process"):
            opened.run((f"{FOLDER}/x",), 5.0)
    assert phone.left == ["lock"]  # it is the other's


def test_what_the_phone_is(phone: FakePhone) -> None:
    with use_phone(Adb(SERIAL)) as opened:
        assert opened.facts.title == "Google Pixel 7 (Google GS201), Android 14"
        assert (opened.name, opened.state().thermal_name, opened.state().charging) == ("adb:R58", "none", True)


def test_32_bit_android_is_refused(phone: FakePhone) -> None:
    phone.fault("32 bit")
    with (
        pytest.raises(UsageError, match="runs programs for armeabi-v7a, armeabi, not for arm64-v8a"),
        use_phone(Adb(SERIAL)),
    ):
        pass
    assert not phone.cache.exists()


def test_clean(phone: FakePhone, file: Path) -> None:
    with use_phone(Adb(SERIAL)) as opened:
        opened.send(file, ".tflite")
        assert opened.cache_bytes() >= 5000
    assert clean_phone(Adb(SERIAL)) >= 5000
    assert not phone.cache.exists()
