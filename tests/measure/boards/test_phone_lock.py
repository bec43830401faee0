"""The lock by itself, with a shell of this machine; whole phones are in test_phone.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.phone_lock import LOST, held


def shell(script: str) -> str:
    return subprocess.run(("sh", "-c", script), check=True, capture_output=True, text=True).stdout


def test_held_once(tmp_path: Path) -> None:
    with held(shell, str(tmp_path), "a phone"):
        with pytest.raises(UsageError, match="measures on a phone just now"), held(shell, str(tmp_path), "a phone"):
            pass
        assert (tmp_path / "lock/owner").is_file()  # the one that was refused did not remove it
    assert not (tmp_path / "lock").exists()


def test_renewed(tmp_path: Path) -> None:
    with held(shell, str(tmp_path), "a phone") as renew:
        (tmp_path / "lock/since").write_text("1\n")
        shell(renew)
        assert int((tmp_path / "lock/since").read_text()) > 1
        (tmp_path / "lock/owner").write_text("another\n")
        assert subprocess.run(("sh", "-c", renew), check=False).returncode == LOST
    assert (tmp_path / "lock").exists()  # it is the other's


def test_a_phone_that_is_gone_at_the_end(tmp_path: Path) -> None:
    gone = False

    def run(script: str) -> str:
        if gone:
            raise CandidateFailed("gone")
        return shell(script)

    with held(run, str(tmp_path), "a phone"):
        gone = True
