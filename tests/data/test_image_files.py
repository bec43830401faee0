"""Image files: how one is read whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevit.data import image_files
from edgevit.data.image_files import list_folder, read_image_file, unread_note


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert read_image_file(tmp_path / "x") == b"abc"


def test_what_never_ends_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a named pipe"), ("zero", "a device")):
        with pytest.raises(OSError, match=f"it is {kind}"):
            read_image_file(tmp_path / name)
    monkeypatch.setattr(image_files, "MOST_BYTES", 2)
    (tmp_path / "large").write_bytes(b"abc")
    with pytest.raises(OSError, match="too large for an image"):
        read_image_file(tmp_path / "large")


def test_a_listing_leaves_hidden_files_out(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jfif", ".hidden.png", "._b.PNG", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    for name in ("sub", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    found = list_folder(tmp_path)
    assert (found.images, found.folders, found.others) == (("a.jfif", "b.PNG"), ("sub",), ("notes.txt",))


def test_many_names_are_cut_short() -> None:
    note = unread_note(Path("data"), [f"{number}.heic" for number in range(7)], "no images")
    assert note == "data: 7 not read, no images (.heic: 7): 0.heic, 1.heic, 2.heic, 3.heic, 4.heic …"
    assert unread_note(Path("data"), [], "no images") is None
