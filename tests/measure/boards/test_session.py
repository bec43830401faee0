"""A process of ssh that behaves badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.board_child import BoardChild
from edgevit.measure.boards.messages import heard
from edgevit.measure.boards.session import Remote, Session, board_error, start_ssh

ADDRESS = parse_address("pi@board")
SAYS = r"""printf '\036edgevit {"held": true}\n'"""


def session(folder: Path, script: str) -> Session:
    return Session(Remote(ADDRESS, "python3", "ssh", folder), ["sh", "-c", script], "s")


@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("python3", "exec python3 -u x"),
        ("~/edge vit/bin/python", "exec \"$HOME\"/'edge vit/bin/python' -u x"),
        ("/opt/py; reboot", "exec '/opt/py; reboot' -u x"),
    ],
)
def test_the_line_for_the_shell_of_the_board(python: str, line: str) -> None:
    assert Remote(ADDRESS, python, "ssh", Path("/tmp")).line("-u x") == line


def _talk(there: Session) -> None:
    there.answer(20.0)
    there.doing = "sending"
    there.write(b"\n")
    there.answer(20.0)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Permission denied (publickey).' >&2; exit 255", "refuses the keys"),
        ("exit 127", "has no python3"),
        ("echo login banner; exit 1", "exit code 1 before it said anything"),
        (f"{SAYS}; read x; exit 255", "the connection was lost while sending"),
        (f"{SAYS}; read x; kill -9 $$", "the connection was lost while sending"),
        (f"{SAYS}; read x; echo Killed >&2; exit 137", "the program there ended with exit code 137 while sending: Killed"),
        (f"{SAYS}; read x" + r"""; printf '\036edgevit {"error": "disk full", "message": "No space"}\n'""", "its disk is full"),
    ],
)  # fmt: skip
def test_how_it_may_end(script: str, words: str, tmp_path: Path) -> None:
    there = session(tmp_path, script)
    try:
        with pytest.raises(UsageError) as error:
            _talk(there)
    finally:
        there.close()
    assert words in error.value.message
    assert error.value.hint


def test_a_shell_that_waits_for_something_is_given_up(tmp_path: Path) -> None:
    there = session(tmp_path, "echo 'Which environment? '; read answer")
    with pytest.raises(UsageError, match=r"nothing came back within 0\.2 s while connecting") as error:
        there.answer(0.2)
    assert ".bashrc" in (error.value.hint or "")
    there.close()


def test_it_speaks_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    there = session(tmp_path, r"""printf '\036edgevit {"lc": "%s"}\n' $LC_ALL""")
    assert there.answer() == {"lc": "C"}
    there.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 255", "the connection was lost while measuring"),
        ("exit 2", "the program there ended with exit code 2 while measuring"),
        (r"""printf '\036edgevit {"error": "disk full"}\n'""", "its disk is full"),
    ],
)
def test_a_child_on_a_board_tells_what_happened_to_it_as_its_answer(script: str, words: str, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        child = BoardChild(start_ssh(["sh", "-c", script], log), ADDRESS)
    messages = [heard(line.lstrip("\n")) for line in child.stdout]
    assert words in str(messages[-1])
    assert child.wait() == 0


def test_a_child_that_was_killed_here_tells_nothing(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        child = BoardChild(start_ssh(["sh", "-c", "exec sleep 60"], log), ADDRESS)
    child.kill()
    assert list(child.stdout) == []
    assert child.wait() == -9


def test_an_error_of_the_board_has_its_hint() -> None:
    error = board_error(ADDRESS, {"error": "failed", "message": "no such thing", "hint": "do this"}, "sending")
    assert (error.message, error.hint) == ("pi@board: no such thing (while sending)", "do this")
