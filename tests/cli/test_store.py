"""``edgevit store``: its words and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.store.store import open_store
from tests.store.test_upkeep import used


def test_list_check_damage_and_clean_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(tmp_path / "store")
    record = used(open_store(url), tmp_path, "1", b"one")
    assert run(["store", "ls", url]) == 0
    assert "1 tasks, 3 B  runs/1" in capsys.readouterr().out
    assert run(["store", "verify", url]) == 0
    assert "1 files, 1 tasks: all whole" in capsys.readouterr().out
    (tmp_path / "store" / "blobs" / record.key[:2] / record.key).write_bytes(b"eno")
    assert run(["store", "verify", url]) == 1
    assert f"damaged: {record.key}" in capsys.readouterr().out
    assert run(["store", "gc", url, "--keep-runs", "0", "--min-age-hours", "0"]) == 0
    assert "1 runs, 1 tasks and 1 files removed" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["ls"], ["verify"], ["gc", "--keep-runs", "1"]])
def test_a_store_that_is_not_there(tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["store", command[0], str(tmp_path / "none"), *command[1:]]) == 2
    assert "there is no store at" in capsys.readouterr().err
