"""``edgevit bench --on`` over loopback: the documents of the local bench, from a board."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.measure.boards.address import ssh_address
from edgevit.measure.host import host_fingerprint
from edgevit.results.document import to_document
from tests.loopback import PYTHON, Loopback

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
ONNX = str(PROBES / "probe.onnx")
BOARD = ("--on", "board", "--python", PYTHON, "--wait", "0")
pytest.importorskip("onnxruntime")


def test_one_file_and_then_the_folder_is_removed(loopback: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", ONNX, "--min-seconds", "0", *BOARD, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert run(["bench", ONNX, "--min-seconds", "0", "--json"]) == 0
    local = json.loads(capsys.readouterr().out)
    assert set(document) == set(local)
    assert (document["artifact"], document["sha256"]) == (local["artifact"], local["sha256"])
    assert document["host"] == local["host"] == to_document(host_fingerprint(1))
    assert (document["measurement"]["device"], local["measurement"]["device"]) == ("board", "host")
    assert set(document["measurement"]["conditions"]) == set(local["measurement"]["conditions"])
    assert document["measurement"]["conditions"]["emulated"] == ""
    assert loopback.is_quiet()

    assert run(["bench", "--clean", *BOARD, "--json"]) == 0
    removed = json.loads(capsys.readouterr().out)
    assert (removed["board"], removed["folder"]) == ("board", str(loopback.cache))
    assert removed["removed_bytes"] > 0
    assert not loopback.cache.exists()
    assert run(["bench", "--clean", *BOARD]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_several_files_are_compared_there(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("edgevit.commands.bench.rounds_for", lambda entries: 2)
    (tmp_path / "b.onnx").write_bytes(Path(ONNX).read_bytes())
    assert run(["bench", ONNX, str(tmp_path / "b.onnx"), *BOARD, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    files = document["comparison"]["files"]
    assert {each["artifact"] for each in files} == {ONNX, str(tmp_path / "b.onnx")}
    assert all(len(each["latency"]["bursts_ms"]) == 2 for each in files)
    assert set(document["sha256"]) == {ONNX, str(tmp_path / "b.onnx")}
    assert document["host"]["threads"] == 1


def test_a_long_run_there(loopback: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", ONNX, "--sustained", "2s", *BOARD]) == 0
    assert "long run on board" in capsys.readouterr().out


def test_an_error_names_the_file_as_the_user_did(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = Path(ONNX).read_bytes()
    (tmp_path / "m.onnx").write_bytes(whole[: len(whole) // 2])
    assert run(["bench", str(tmp_path / "m.onnx"), "--min-seconds", "0", *BOARD]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/m.onnx" in error
    assert ".cache/edgevit" not in error


def test_a_phone_is_no_board() -> None:
    with pytest.raises(UsageError, match="SSH"):
        ssh_address("adb:R58M12")


@pytest.mark.slow
def test_a_board_is_calibrated(loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    out = tmp_path / "my-board.toml"
    asked = ["devices", "calibrate", *BOARD, "--runtimes", "tflite", "--out", str(out), "--force", "--json"]
    assert run([*asked, "--minutes", "2"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["calibrations"]
    assert (found["runtime"], found["threads"]) == ("litert", 1) and found["networks"] >= 20
    assert load_device(str(out)).units[0].cores[0].architecture == host_fingerprint(1).cpu
    assert not (loopback.cache / "scratch").exists() or not list((loopback.cache / "scratch").glob("plain*"))
    assert loopback.is_quiet()
    assert run(["devices", "calibrate", *BOARD, "--out", str(out)]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("artifact", ["probe.tflite", "probe.onnx"])
def test_an_emulated_board_runs_everything_and_says_that_it_is_one(
    artifact: str, loopback: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    userland = os.environ.get("EDGEVIT_ARM64_PYTHON")
    if userland is None:
        pytest.skip("EDGEVIT_ARM64_PYTHON names no Python of an emulated arm64 userland with LiteRT and ONNX Runtime")
    line = ["bench", str(PROBES / artifact), "--min-seconds", "0", "--on", "board", "--python", userland, "--json"]
    assert run(line) == 0
    document = json.loads(capsys.readouterr().out)
    assert "aarch64 programs" in document["measurement"]["conditions"]["emulated"]
    assert "aarch64" in document["host"]["os"]
    assert loopback.is_quiet(60.0)
