"""Functions of the user's own are found by name, and the files that they are made of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.model.user_names import find_callable, source_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module that has a helper."""
    (tmp_path / "scores_of_mine.py").write_text(
        "from scores_helper import best\ndef score(): return best\nclass Scores:\n    def all(): return 2\nlimit = 3\n"
    )
    (tmp_path / "scores_helper.py").write_text("best = 1")
    (tmp_path / "other.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("scores_of_mine", "scores_helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_function_is_found_also_in_a_class(here: Path) -> None:
    assert find_callable("scores_of_mine:score", "function", "scores")() == 1
    assert find_callable("scores_of_mine:Scores.all", "function", "scores")() == 2


def test_its_sources_are_the_files_beside_it_that_were_imported(here: Path) -> None:
    assert source_files("scores_of_mine:score") == ()
    find_callable("scores_of_mine:score", "function", "scores")
    assert source_files("scores_of_mine:score") == (here / "scores_helper.py", here / "scores_of_mine.py")


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("scores_of_mine:scor", "has no function 'scor'", "did you mean score"),
        ("scores_of_mine:limit", "has no function 'limit'", "name a function there that scores"),
        ("scores_of_mien:score", "cannot import 'scores_of_mien'", "did you mean scores_of_mine"),
        ("a/b.py:score", "is not package.module:function", "importable from the current folder"),
        ("scores_of_mine:", "is not package.module:function", "importable from the current folder"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(here: Path, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_callable(name, "function", "scores")
    assert hint in str(caught.value.hint)
