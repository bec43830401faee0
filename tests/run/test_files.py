"""Files that are whole or not there."""

from __future__ import annotations

import errno
import hashlib
from contextlib import suppress
from pathlib import Path

import pytest

from edgevit.errors import DiskFull, UsageError
from edgevit.run.files import (
    disk_errors,
    file_sha256,
    leaves_folder,
    new_folder,
    open_to_append,
    out_folder,
    remove_temporaries,
    write_atomically,
)


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "run.json"
    write_atomically(file, b"old")

    def fail(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["run.json"]


def test_a_digest_is_of_the_contents_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"x" * 3_000_000)
    second.write_bytes(b"y")
    assert file_sha256(first, second) == hashlib.sha256(b"x" * 3_000_000 + b"y").hexdigest()
    assert file_sha256(second, first) != file_sha256(first, second)


def test_a_default_folder_is_named_after_the_model_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with out_folder(None, "my.package:nets/vit", "explain") as folder:
        assert folder.is_dir()
        assert folder.parent == tmp_path / "runs"
        assert folder.name.startswith("nets-vit-explain-2")
    with out_folder(None, "digits_vit") as folder:
        assert folder.name.startswith("digits_vit-2")


def test_two_that_begin_in_one_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgevit.run.files._default_name", lambda model, command: "m")
    with out_folder(None, "m") as first, out_folder(None, "m") as second:
        assert (first.name, second.name) == ("m", "m-2")


def test_a_folder_that_nothing_was_written_to_goes_with_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), out_folder(None, "m"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with suppress(ZeroDivisionError), out_folder(None, "m") as folder:
        (folder / "log").write_text("kept")
        raise ZeroDivisionError
    assert [path.read_text() for path in tmp_path.glob("runs/*/log")] == ["kept"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("run.json", "log"):
        (tmp_path / name).symlink_to(mine)
    write_atomically(tmp_path / "run.json", b"new")
    assert (tmp_path / "run.json").read_bytes() == b"new"
    assert not (tmp_path / "run.json").is_symlink()
    with pytest.raises(UsageError, match="log is a link"):
        open_to_append(tmp_path / "log")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(code, "full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(DiskFull, match=r"cannot write .*report.md: the disk of /.* is full") as caught:
        write_atomically(tmp_path / "report.md", b"text")
    assert str(caught.value.hint).startswith("free some space")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DiskFull) as caught, disk_errors(tmp_path, "use --resume"):
        write_atomically(tmp_path / "report.md", b"text")
    assert caught.value.hint == "use --resume"
    with pytest.raises(PermissionError), disk_errors(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / ".edgevit-1.tmp").mkdir(parents=True)
    (tmp_path / "a" / ".edgevit-1.tmp" / "report.png").write_text("half")
    (tmp_path / ".edgevit-2.tmp").write_text("half")
    (tmp_path / "mine.tmp").write_text("mine")
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "mine.tmp"]


def test_a_new_folder_goes_where_nothing_was_written(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), new_folder(tmp_path / "a"):
        raise ZeroDivisionError
    (tmp_path / "b").mkdir()
    with suppress(ZeroDivisionError), new_folder(tmp_path / "b"):
        raise ZeroDivisionError
    with new_folder(tmp_path / "c"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


@pytest.mark.parametrize(
    ("name", "leaves"),
    [
        ("a/b.onnx", False),
        ("a..b", False),
        ("../b", True),
        ("a/../../b", True),
        ("/b", True),
        ("C:\\b", True),
        ("..\\b", True),
    ],
)
def test_names_that_leave_a_folder(name: str, leaves: bool) -> None:
    assert leaves_folder(name) is leaves
