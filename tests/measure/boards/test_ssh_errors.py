"""What OpenSSH prints, told apart by its cause."""

from __future__ import annotations

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.ssh_errors import command_error, connection_error, ended_error, lost_error

BOARD = parse_address("pi@board:2222")


@pytest.mark.parametrize(
    ("printed", "words", "hint"),
    [
        (
            "No ED25519 host key is known for [10.0.0.7]:2222 and you have requested strict checking.\n"
            "Host key verification failed.\n",
            "not in known_hosts",
            "ssh-keyscan -p 2222 10.0.0.7 >> ~/.ssh/known_hosts",
        ),
        (
            "No ED25519 host key is known for board and you have requested strict checking.\nHost key verification failed.\n",
            "not in known_hosts",
            "ssh-keyscan board >> ~/.ssh/known_hosts",
        ),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n"
            "Host key for [10.0.0.7]:2222 has changed and you have requested strict checking.\nHost key verification failed.\n",
            "another one than in known_hosts",
            "ssh-keygen -R '[10.0.0.7]:2222'",
        ),
        ("Host key verification failed.", "not in known_hosts", "ssh-keyscan -p 2222 board"),
        ("pi@board: Permission denied (publickey,password).", "refuses the keys", "ssh-copy-id -p 2222 pi@board"),
        ("ssh: Could not resolve hostname board: Name or service not known", "no such host", "is the name right"),
        ("ssh: connect to host board port 2222: Connection refused", "cannot be reached", "SSH server on port 2222"),
        ("ssh: connect to host board port 2222: Connection timed out", "cannot be reached", "switched on"),
        ("ssh: connect to host board port 2222: No route to host", "cannot be reached", "switched on"),
        ("kex_exchange_identification: Connection closed by remote host", "kex_exchange", "ssh -p 2222 pi@board"),
        ("", "it gave no reason", "ssh -p 2222 pi@board"),
    ],
)  # fmt: skip
def test_each_cause_of_a_connection_that_fails(printed: str, words: str, hint: str) -> None:
    error = connection_error(BOARD, printed)
    assert words in error.message
    assert "pi@board:2222" in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (command_error(BOARD, "python3", 127, "sh: 1: exec: python3: not found"), "has no python3"),
        (command_error(BOARD, "python3", 1, "This account is closed."), "This account is closed."),
        (lost_error(BOARD, "sending m.tflite", "client_loop: send disconnect: Broken pipe"), "lost while sending m.tflite"),
        (ended_error(BOARD, "measuring", 2, "python3: can't open file"), "exit code 2 while measuring"),
    ],
)  # fmt: skip
def test_what_ends_later(error: UsageError, words: str) -> None:
    assert words in error.message
    assert error.hint
