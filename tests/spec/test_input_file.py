"""Files that users name: what is said of one that is not there, or no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.spec.input_file import expand_user, file_problem, require_file


def test_a_file_and_a_link_to_one_are_given_back(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "link").symlink_to("a.txt")
    assert require_file(tmp_path / "a.txt") == tmp_path / "a.txt"
    assert require_file(tmp_path / "link") == tmp_path / "link"


def test_a_missing_file_gets_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_text("x")
    with pytest.raises(UsageError, match="no such artifact: .*modle.tflite") as caught:
        require_file(tmp_path / "modle.tflite", "artifact")
    assert caught.value.hint == f"did you mean {tmp_path / 'model.tflite'}?"
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere") as caught:
        require_file(tmp_path / "nowhere" / "x", "artifact")
    assert caught.value.hint


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "lost").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for path, said in (
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "it is a named pipe"),
        (Path("/dev/zero"), "it is a device"),
        (tmp_path / "lost", "it is a link to nowhere, which does not exist"),
        (tmp_path / "loop", "it is a link that leads back to itself"),
        (Path("a\0b"), "no file has such a name"),
        (Path("x" * 5000), "file name too long"),
    ):
        assert file_problem(path) == said
        with pytest.raises(UsageError, match="is no artifact: ") as caught:
            require_file(path, "artifact")
        assert said in caught.value.message and caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_missing_permissions_are_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a").write_text("x")
    (tmp_path / "closed" / "a").chmod(0)
    assert file_problem(tmp_path / "closed" / "a") == "it may not be read (permission denied)"
    (tmp_path / "closed").chmod(0)
    assert file_problem(tmp_path / "closed" / "a") == "its folder may not be searched (permission denied)"
    (tmp_path / "closed").chmod(0o700)


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert expand_user("~/x") == Path("/somewhere/x")
    assert expand_user("~no-such-user-at-all/x") == Path("~no-such-user-at-all/x")
    assert expand_user("a/~") == Path("a/~")
