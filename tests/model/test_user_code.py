"""What a user's own code raises is told as theirs."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgevit.errors import UsageError
from edgevit.model.user_code import is_installed, user_code


@pytest.fixture
def mine(tmp_path: Path) -> ModuleType:
    """A module with functions that raise, each in a line of its own."""
    file = tmp_path / "mine.py"
    file.write_text(
        "import json, sys\n"
        "def key(): return {}['a']\n"
        "def deep(): return json.loads('{')\n"
        "def leave(): sys.exit(0)\n"
        "def cuda(): raise RuntimeError('Attempting to deserialize object on a CUDA device')\n"
        "def ask(): return input()\n"
        "def arguments(): return sys.argv[1:]\n"
        "def silent(): raise ValueError\n"
    )
    spec = importlib.util.spec_from_file_location("mine", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("key", r"calling it: KeyError: 'a' \(.*mine.py, line 2\)$", "correct that line"),
        ("deep", r"JSONDecodeError: Expecting .* \(.*mine.py, line 3\)$", "correct that line"),
        ("leave", r"it calls sys.exit\(0\) \(.*mine.py, line 4\)$", "__main__"),
        ("cuda", r"CUDA device \(.*mine.py, line 5\)$", 'map_location="cpu"'),
        ("ask", r"EOFError.*mine.py, line 6\)$", "correct"),
        ("silent", r"calling it: ValueError \(.*mine.py, line 8\)$", "correct"),
    ],
)
def test_the_error_names_the_line(mine: ModuleType, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught, user_code("calling it"):
        getattr(mine, name)()
    assert hint in str(caught.value.hint)


def test_the_command_line_is_not_theirs(mine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["edgevit", "compress", "mine:make"])
    with user_code("calling it"):
        assert mine.arguments() == []
    assert sys.argv == ["edgevit", "compress", "mine:make"]


def test_an_error_of_edgevit_and_an_interrupt_pass() -> None:
    with pytest.raises(UsageError, match="^as it is$"), user_code("calling it"):
        raise UsageError("as it is")
    with pytest.raises(KeyboardInterrupt), user_code("calling it"):
        raise KeyboardInterrupt


def test_what_is_installed(tmp_path: Path) -> None:
    assert is_installed(Path(json.__file__))
    assert is_installed(Path(pytest.__file__))
    assert not is_installed(tmp_path / "mine.py")
    assert not is_installed(Path(__file__))
