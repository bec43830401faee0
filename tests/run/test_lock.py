"""The lock of a run folder."""

from __future__ import annotations

import errno
import fcntl
import sys
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.run.lock import LOCK, locked


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UsageError, match="another process is writing"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_not_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(UsageError, match="cannot lock .*: no locks here") as caught, locked(tmp_path):
        pass
    assert "local disk" in str(caught.value.hint)


def test_a_system_without_flock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with (
        pytest.raises(UsageError, match="compress, export and finetune are not supported on .*flock") as caught,
        locked(tmp_path),
    ):
        pass
    assert "WSL" in str(caught.value.hint)


def test_a_link_in_its_place_empties_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / LOCK).symlink_to(mine)
    with pytest.raises(UsageError, match="is a link"), locked(tmp_path):
        pass
    assert mine.read_text() == "mine"
