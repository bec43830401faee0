"""Several boards side by side; one that fails stops none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.commands.bench_fleet import BoardLine
from edgevit.run.progress import Silent
from tests.loopback import PYTHON, Loopback

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
pytest.importorskip("onnxruntime")


def test_a_board_that_fails_stops_no_other(
    loopback: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = f"[[board]]\nname = 'good'\naddress = 'board'\npython = '{PYTHON}'\ndevice = 'raspberry-pi-5'\n"
    others = "[[board]]\nname = 'gone'\naddress = 'nowhere.invalid'\n"
    others += "[[board]]\nname = 'bare'\naddress = 'bare'\nruntimes = ['tflite']\n"
    (tmp_path / "fleet.toml").write_text(good + others)
    line = ["bench", str(PROBES / "probe.onnx"), "--min-seconds", "0", "--fleet", str(tmp_path / "fleet.toml")]
    assert run([*line, "--json"]) == 2
    captured = capsys.readouterr()
    first, second, third = json.loads(captured.out)["boards"]
    assert (first["name"], first["device"], first["measurement"]["device"]) == ("good", "raspberry-pi-5", "good")
    assert "no such host" in second["error"]["message"]
    assert "needs onnxruntime" in third["error"]["message"]
    assert "gone failed" in captured.err
    assert loopback.is_quiet()
    assert run(line) == 2
    out = capsys.readouterr().out
    assert [row.split()[0] for row in out.splitlines() if row.startswith(("good", "gone", "bare"))] == [
        "good",
        "gone",
        "bare",
    ]


def test_a_board_has_one_line_of_progress() -> None:
    seen: list[tuple[object, ...]] = []

    class Seen(Silent):
        def stage(self, name: str, done: int, total: int, note: str = "") -> None:
            seen.append((name, done, total, note))

        def message(self, text: str) -> None:
            seen.append((text,))

    line = BoardLine("pi", Seen())
    line.stage("send m", 0, 1)
    line.stage("send m", 1, 1)
    line.stage("measure m", 20, 100)
    line.message("in use")
    assert seen == [("pi", 0, 1, ""), ("pi", 0, 1, "send m"), ("pi", 20, 100, "measure m"), ("pi: in use",)]
