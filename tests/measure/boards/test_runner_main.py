"""The board's side by itself: the zip file run here, spoken to by its stdin."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevit.measure.boards import runner_main, supervise
from edgevit.measure.boards.bootstrap import FIRST, first_line
from edgevit.measure.boards.messages import heard
from edgevit.measure.boards.runner import build_runner

TASK = {
    "function": "edgevit.measure.boards.probe:probe_board",
    "type": "edgevit.measure.boards.probe:ProbeJob",
    "value": {"threads": 1, "runtimes": []},
}


class There:
    """A process of the board's side."""

    def __init__(self, *command: str, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def tell(self, content: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any] | None:
        """Returns its next message; None at its end."""
        assert self.process.stdout
        for line in self.process.stdout:
            message = heard(line.decode())
            if message is not None:
                return message
        return None

    def end(self) -> int:
        """Closes its stdin, and returns its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("runner") / "runner.pyz"
    path.write_bytes(build_runner().content)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "board"
    place.mkdir()
    return place


@pytest.fixture
def holder(runner: str, folder: Path) -> Iterator[There]:
    """A process that holds the lock under the token "one"."""
    there = There("-u", runner, "hold", str(folder), "one", "ann@laptop", "0", home=folder.parent)
    message = there.hear()
    assert message is not None
    assert message["held"]
    yield there
    there.end()


def test_the_lock_is_held_until_stdin_closes(runner: str, folder: Path, holder: There) -> None:
    holder.tell(b"beat\nbeat\n")
    other = There("-u", runner, "hold", str(folder), "two", "bob", "0", home=folder.parent)
    message = other.hear()
    assert message is not None
    assert (message["held_by"], message["refused"]) == ("ann@laptop", True)
    assert other.end() == 0
    assert holder.end() == 0
    assert not (folder / "lock").exists()


def test_the_folder_is_removed_when_the_host_asks(folder: Path, holder: There) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "a").write_bytes(b"x" * 1000)
    holder.tell(b"clean\n")
    message = holder.hear()
    assert message is not None
    assert message["removed_bytes"] >= 1000
    assert not folder.exists()


def test_a_host_that_says_nothing_loses_the_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(runner_main, "say", said.append)
    monkeypatch.setattr(runner_main._Lines, "next", lambda lines, seconds: None)
    runner_main.hold(folder, "one", "ann", 0.0)
    assert said[0]["held"]
    assert not (folder / "lock").exists()


def test_files_are_stored_under_their_names(runner: str, folder: Path) -> None:
    content = b"weights" * 100
    file = {"name": "m.bin", "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    for times in range(2):
        there = There("-u", runner, "store", str(folder), "one", home=folder.parent)
        there.tell(json.dumps({"key": "k", "files": [file]}).encode() + b"\n")
        asked = there.hear()
        assert asked is not None
        assert asked["missing"] == ([] if times else [file["sha256"]])
        if not times:
            there.tell(content)
        done = there.hear()
        assert done is not None
        assert (Path(done["folder"]) / "m.bin").read_bytes() == content
        there.end()


def test_a_task_is_answered_without_pydantic(runner: str, folder: Path, holder: There) -> None:
    there = There("-u", runner, "task", str(folder), "one", home=folder.parent)
    there.tell(json.dumps(TASK).encode() + b"\n")
    answer = there.hear()
    assert answer is not None
    assert answer["answer"]["host"]["threads"] == 1
    assert there.process.wait(30) == 0


def test_a_task_ends_when_stdin_closes(runner: str, folder: Path, holder: There) -> None:
    there = There("-u", runner, "task", str(folder), "one", home=folder.parent)
    children = Path(f"/proc/{there.process.pid}/task/{there.process.pid}/children")
    if not children.exists():
        pytest.skip("this kernel does not list the children of a process")
    end = time.monotonic() + 20
    while not (found := children.read_text().split()) and time.monotonic() < end:
        time.sleep(0.02)
    (worker,) = found
    assert there.end() == 1
    assert not Path(f"/proc/{worker}").exists()


def test_a_task_without_the_lock_is_ended(runner: str, folder: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {runner!r}); import {supervise.__name__}; supervise = sys.modules[{supervise.__name__!r}];"
        f" supervise._LOOK_AT_LOCK_S = 0.1; sys.exit(supervise.supervise(__import__('pathlib').Path({str(folder)!r}), 'one'))"
    )
    there = There("-u", "-c", program, home=folder.parent)
    message = there.hear()
    assert message is not None
    assert "another bench took the board" in message["message"]
    assert there.process.wait(30) == 0


def test_the_first_line_is_ascii_and_a_runner_that_arrives_damaged_is_not_kept(tmp_path: Path) -> None:
    there = There(*FIRST.replace('"', "").split(" ", 2)[:2], FIRST.split('"')[1], home=tmp_path)
    line = first_line("ab" * 32, 5, ("token", "ünï", "0"))
    assert line.isascii()
    assert line.count(b"\n") == 1
    there.tell(line)
    found = there.hear()
    assert found is not None
    assert (found["old"], found["has_runner"], found["has_folder"]) == (False, False, False)
    assert found["folder"] == str(tmp_path / ".cache" / "edgevit" / "board")
    there.tell(b"wrong")
    assert there.hear() is None
    assert list(tmp_path.iterdir()) == []
    assert there.end() == 0
