"""bench on a phone and with TensorRT, by its command line."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.results.run import run_to_json
from edgevit.run.files import file_sha256
from tests.factories import make_candidate, make_run
from tests.measure.boards.phones import ELF_ARM64, FakePhone, make_phone

ON = ["--on", "adb:R58"]


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tflite", "b.tflite"):
        Path(name).write_bytes(b"\0\0\0\0TFL3" + name.encode())
    Path("tool").write_bytes(ELF_ARM64)
    return make_phone(tmp_path, monkeypatch)


def test_one_file(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "a.tflite", *ON, "--benchmark-model", "tool"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "measured on adb:R58 (Google Pixel 7 (Google GS201), Android 14)" in printed
    assert "LiteRT benchmark_model" in printed


def test_documents(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "a.tflite", *ON, "--benchmark-model", "tool", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["measurement"]["device"] == "adb:R58"
    assert document["measurement"]["latency_ms"]["p99"] is None
    assert document["phone"]["model"] == "Google Pixel 7"
    assert set(document["sha256"]) == {"a.tflite", "tool"}
    assert run(["bench", "a.tflite", "b.tflite", *ON, "--benchmark-model", "tool", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["comparison"]["files"]) == 2


def test_delegate_that_took_nothing_fails(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "a.tflite", *ON, "--benchmark-model", "tool", "--delegate", "gpu"]) == 2
    assert "GPU" in capsys.readouterr().err


def test_cache_is_removed(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *ON, "--clean"]) == 0
    assert "nothing to remove on adb:R58" in capsys.readouterr().out
    assert run(["bench", "a.tflite", *ON, "--benchmark-model", "tool"]) == 0
    assert phone.left
    capsys.readouterr()
    assert run(["bench", *ON, "--clean", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["removed_bytes"] > 0
    assert document["board"] == "adb:R58"
    assert phone.left == []


def test_unstable_measurement(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    phone.fault("hot")
    arguments = ["bench", "a.tflite", *ON, "--benchmark-model", "tool"]
    assert run(arguments) == 0
    assert run([*arguments, "--require-stable"]) == 1
    assert "thermal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*ON], "benchmark_model"),
        ([*ON, "--benchmark-model", "missing"], "missing"),
        ([*ON, "--benchmark-model", "a.tflite"], "aarch64"),
        ([*ON, "--benchmark-model", "tool", "--delegate", "npu"], "npu"),
        ([*ON, "--benchmark-model", "tool", "--layers"], "--layers has no effect with --on adb:SERIAL"),
        ([*ON, "--benchmark-model", "tool", "--wait", "0"], "--wait has no effect with --on adb:SERIAL"),
        ([*ON, "--runtime", "tensorrt"], "--runtime has no effect with --on adb:SERIAL"),
        (["--on", "adb:"], "names no phone"),
        ([*ON, "--on", "pi@host"], "a phone is measured alone"),
        (["--on", "pi@a", "--on", "pi@b", "--runtime", "tensorrt"], "--runtime has no effect with several boards"),
        (["--on", "pi@board", "--delegate", "gpu"], "--delegate has no effect without --on adb:SERIAL"),
        (["--benchmark-model", "tool"], "--benchmark-model has no effect without --on adb:SERIAL"),
        (["--runtime", "tensorrt"], "reads .onnx files"),
        (["--runtime", "tflite"], "--runtime 'tflite' is not one"),
        (["--runtime", "tensorrt", "--threads", "2"], "--threads has no effect with --runtime"),
        (["b.tflite", "--runtime", "tensorrt"], "several files"),
    ],
)
def test_options_that_are_refused(
    options: list[str], words: str, phone: FakePhone, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "a.tflite", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_no_adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=None)
    assert run(["bench", *ON, "--clean"]) == 2
    assert "adb" in capsys.readouterr().err
    assert os.environ["PATH"] == str(tmp_path)


@pytest.fixture
def recorded(phone: FakePhone) -> Path:
    """A file of a run."""
    path = Path("run/artifacts/model.tflite")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\0\0\0\0TFL3")
    made = make_candidate("litert/fp32/dense")
    assert made.artifact is not None
    stored = f"artifacts/{path.name}"
    file = replace(made.artifact, path=stored, files=(stored,), sha256=file_sha256(path), size_bytes=8)
    Path("run/run.json").write_bytes(run_to_json(make_run(replace(made, artifact=file))))
    Path("run/begin.json").write_text("{}", encoding="utf-8")
    return path


def test_recorded_measurement_is_gated(recorded: Path, phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", str(recorded), *ON, "--benchmark-model", "tool", "--record"]
    assert run(arguments) == 0
    assert "run/run.json, as adb:R58" in " ".join(capsys.readouterr().out.split())
    for limit, code in (("2 s", 0), ("1 ms", 1)):
        Path("budget.toml").write_text(
            f'[devices."adb:R58"]\nlatency_p50_ms = "{limit}"\npartitions = 1\n', encoding="utf-8"
        )
        assert run(["gate", "run", "--budget", "budget.toml"]) == code
    Path("budget.toml").write_text('[devices."adb:R58"]\nlatency_p99_ms = "2 s"\n', encoding="utf-8")
    capsys.readouterr()
    assert run(["gate", "run", "--budget", "budget.toml"]) == 1
    assert "does not tell this percentile" in " ".join(capsys.readouterr().out.split())
    assert run(["report", "run"]) == 0

    phone.fault("emulator")
    assert run(arguments) == 0
    Path("budget.toml").write_text('[devices."adb:R58"]\nlatency_p50_ms = "2 s"\n', encoding="utf-8")
    capsys.readouterr()
    assert run(["gate", "run", "--budget", "budget.toml"]) == 1
    assert "emulator" in " ".join(capsys.readouterr().out.split())


def test_only_files_of_a_run_are_recorded(phone: FakePhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "a.tflite", *ON, "--benchmark-model", "tool", "--record"]) == 2
    assert "is not a file of a run" in " ".join(capsys.readouterr().err.split())
    assert phone.calls == []
    assert run(["bench", "a.tflite", "--record"]) == 2
    assert "--record has no effect without --on or --runtime" in " ".join(capsys.readouterr().err.split())
