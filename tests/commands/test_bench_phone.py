"""bench on a phone, from files to a document, on a fake phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.commands.bench_phone import AskedPhone, PhoneBench, bench_on_phone
from edgevit.errors import UsageError
from edgevit.results.document import to_document
from edgevit.run.progress import Silent
from edgevit.spec.spec import MeasureSpec
from tests.measure.boards.phones import ELF_ARM64, SERIAL, FakePhone, make_phone


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    return make_phone(tmp_path, monkeypatch)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "android_aarch64_benchmark_model"
    path.write_bytes(ELF_ARM64)
    return path


def artifacts(tmp_path: Path, *names: str) -> list[Path]:
    for name in names:
        (tmp_path / name).write_bytes(b"\0\0\0\0TFL3" + name.encode())
    return [tmp_path / name for name in names]


def bench(files: list[Path], program: Path | None, delegate: str = "cpu", precision: str = "fastest") -> PhoneBench:
    return bench_on_phone(AskedPhone(SERIAL, program, delegate, precision), files, MeasureSpec(), Silent())


def test_one_file(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    found = bench(artifacts(tmp_path, "a.tflite"), program)
    assert found.measurement is not None
    assert (found.measurement.device, found.measurement.threads) == ("adb:R58", 1)
    assert found.measurement.latency_ms.p50 == pytest.approx(899.281)
    assert found.phone.title == "Google Pixel 7 (Google GS201), Android 14"
    assert set(found.sha256) == {str(tmp_path / "a.tflite"), str(program)}
    assert found.unstable == ""
    assert sum("--report_peak_memory_footprint=true" in words for words in phone.arguments) == 1
    document = to_document(found)
    assert document["measurement"]["latency_ms"]["p90"] is None
    assert phone.left == sorted(
        f"{digest}{suffix}"
        for digest, suffix in zip(found.sha256.values(), (".tflite", "-benchmark_model"), strict=True)
    )


def test_several_files_are_compared(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    found = bench(artifacts(tmp_path, "a.tflite", "b.tflite"), program)
    assert found.comparison is not None
    assert [file.tied for file in found.comparison.files] == [True, True]
    assert found.comparison.note == "1, XNNPACK, 1 partition"
    assert found.measurement is None


def test_vendor_library_is_sent(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    phone.prints("tf215_external_full")
    library = tmp_path / "libvx_delegate.so"
    library.write_bytes(ELF_ARM64 + b"library")
    found = bench(artifacts(tmp_path, "a.tflite"), program, f"vendor:{library}?allowed_cache_mode:1")
    assert found.measurement is not None
    assert found.measurement.conditions.delegate == "vendor's delegate, 1 partition, 31 of 31 nodes"
    words = phone.arguments[0].split()
    sent = next(word for word in words if word.startswith("--external_delegate_path="))
    assert sent.endswith(".so")
    assert Path(sent.partition("=")[2]).read_bytes() == library.read_bytes()
    assert "--external_delegate_options=allowed_cache_mode:1" in words


def test_emulators_are_said(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    phone.fault("emulator")
    found = bench(artifacts(tmp_path, "a.tflite"), program)
    assert found.measurement is not None
    assert found.measurement.conditions.emulated == "an Android emulator"
    assert found.measurement.rounds is not None
    assert found.measurement.rounds.emulated == "an Android emulator"


def test_what_is_wrong_is_told_before_anything_is_sent(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    model = artifacts(tmp_path, "a.tflite")
    (tmp_path / "b.onnx").write_bytes(b"onnx")
    x86 = tmp_path / "x86"
    x86.write_bytes(ELF_ARM64[:18] + (62).to_bytes(2, "little") + ELF_ARM64[20:])
    for files, binary, delegate, precision, words in (
        (model, None, "cpu", "f32", "needs LiteRT's benchmark_model"),
        (model, x86, "cpu", "f32", "made for x86-64"),
        (model, program, "tpu", "f32", "--delegate 'tpu' is not known"),
        (model, program, f"vendor:{x86}", "f32", "the vendor's library .* made for x86-64"),
        (model, program, "cpu", "bf16", "--precision bf16 is not for phones"),
        ([tmp_path / "b.onnx"], program, "cpu", "f32", "phones run .tflite files"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            bench(files, binary, delegate, precision)
        assert caught.value.hint
    assert phone.calls == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("unauthorized", "does not trust this computer"),
        ("no space", "no space left on the phone"),
        ("read only", "adb:R58: the phone R58 does not let"),
        ("unplugged in run", r"adb:R58: .*a.tflite: the connection to the phone R58 was lost"),
        ("32 bit", "not for arm64-v8a"),
    ],
)
def test_failures(phone: FakePhone, program: Path, tmp_path: Path, fault: str, words: str) -> None:
    phone.fault(fault)
    with pytest.raises(UsageError, match=words):
        bench(artifacts(tmp_path, "a.tflite"), program)
    assert "lock" not in phone.left or fault == "unplugged in run"
    assert not [name for name in phone.left if name.endswith((".part", ".pid"))]


def test_library_that_is_nowhere(phone: FakePhone, program: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file libQnn.so here"):
        bench(artifacts(tmp_path, "a.tflite"), program, "vendor:libQnn.so")
