"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgevit.run.files import default_folder, file_sha256, write_atomically


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


def test_a_default_folder_is_named_after_the_model_and_the_command() -> None:
    folder = default_folder("my.package:nets/vit", "explain")
    assert folder.is_absolute()
    assert folder.parent.name == "runs"
    assert folder.name.startswith("nets-vit-explain-2")
    assert default_folder("digits_vit").name.startswith("digits_vit-2")
