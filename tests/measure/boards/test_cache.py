"""The folder of files on a board."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path

import pytest

from edgevit.measure.boards import cache
from edgevit.measure.boards.cache import Incomplete, SentFile


def sent(name: str, content: bytes) -> SentFile:
    return SentFile(name, hashlib.sha256(content).hexdigest(), len(content))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_received_once_and_has_its_name_in_each_artifact(tmp_path: Path) -> None:
    model, weights = sent("m.xml", b"<net>"), sent("m.bin", b"\0" * 1000)
    files = (model, weights, sent("again.bin", b"\0" * 1000))
    wanted = cache.missing(tmp_path, files)
    assert [each.sha256 for each in wanted] == [model.sha256, weights.sha256]
    stream = io.BytesIO(b"<net>" + b"\0" * 1000)
    for each in wanted:
        cache.receive(tmp_path, each, stream)
    assert cache.missing(tmp_path, files) == ()
    for _ in range(2):
        place = cache.lay_out(tmp_path, "key", files)
        assert {path.name: path.read_bytes() for path in place.iterdir()} == {
            "m.xml": b"<net>", "m.bin": b"\0" * 1000, "again.bin": b"\0" * 1000
        }  # fmt: skip
    assert cache.size_bytes(tmp_path) == 1005, "names are links"


@pytest.mark.parametrize("content", [b"", b"abc", b"another"])
def test_what_is_cut_or_altered_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Incomplete):
        cache.receive(tmp_path, sent("m", b"content"), io.BytesIO(content))
    assert names(tmp_path) == set()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        cache.receive(tmp_path, sent("m", b"content"), io.BytesIO(b"content"))
    assert names(tmp_path) == set()


def test_only_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    gone = 2**22 + 1
    (tmp_path / "files").mkdir()
    for name in (f"files/a.{gone}.part", f"files/b.{os.getpid()}.part", f"runner-c.pyz.{gone}.part", "files/whole"):
        (tmp_path / name).write_bytes(b"x")
    cache.remove_leftovers(tmp_path)
    assert names(tmp_path) == {f"files/b.{os.getpid()}.part", "files/whole"}


def test_the_folder_is_removed_whole_and_its_size_said(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a").write_bytes(b"x" * 500)
    assert cache.free_bytes(folder) > 0
    assert cache.remove(folder) == 500
    assert list(tmp_path.iterdir()) == []
