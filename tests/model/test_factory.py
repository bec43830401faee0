"""A user's own factory is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.factory import call_factory  # noqa: E402

SOURCE = """
import torch
from nets_helper import width
net = torch.nn.Linear(width, 1)
def make(num_classes=2): return torch.nn.Linear(width, num_classes)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a factory."""
    (tmp_path / "nets_of_mine.py").write_text(SOURCE)
    (tmp_path / "nets_helper.py").write_text("width = 3")
    (tmp_path / "other.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("nets_of_mine", "nets_helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_factory_is_called_with_the_classes(here: Path) -> None:
    assert call_factory("nets_of_mine:make", None).out_features == 2
    assert call_factory("nets_of_mine:make", 5).out_features == 5


def test_a_file_of_the_folder_never_stands_for_one_of_python(here: Path) -> None:
    (here / "this.py").write_text("raise SystemExit")  # the Zen of Python, which nothing else imports
    sys.modules.pop("this", None)
    with pytest.raises(UsageError, match="has no factory 'make'"):
        call_factory("this:make", None)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nets_of_mine:net", "is a module, not a factory", "def make(): return net"),
        ("nets_of_mine:mak", "has no factory 'mak'", "did you mean make"),
        ("nets_of_mien:make", "cannot import 'nets_of_mien'", "did you mean nets_of_mine"),
        ("a/b.py:make", "is not package.module:factory", "importable from the current folder"),
    ],
)
def test_what_is_no_factory_is_told_with_the_nearest(here: Path, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        call_factory(name, None)
    assert hint in str(caught.value.hint)
