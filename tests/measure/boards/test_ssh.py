"""Command lines of the OpenSSH client."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.ssh import master_command, session_command, ssh_program


def test_nothing_is_asked_accepted_or_forwarded() -> None:
    command = master_command("/usr/bin/ssh", parse_address("pi@host:2222"), Path("/tmp/x/s"), "exec python3")
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ForwardAgent=no",
        "ControlMaster=yes",
    ):
        assert command[command.index(option) - 1] == "-o"
    assert command[-7:] == ["-l", "pi", "-p", "2222", "--", "host", "exec python3"]
    assert not any("assword" in part for part in command)


def test_sessions_share_the_connection_and_leave_the_rest_to_the_users_configuration() -> None:
    command = session_command("ssh", parse_address("jetson"), Path("/tmp/x/s"), "exec python3")
    assert {"ControlMaster=no", "ControlPath=/tmp/x/s"} <= set(command)
    assert not {"-l", "-p", "-F", "-i"} & set(command)


def test_without_the_client_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="ssh is not installed") as error:
        ssh_program()
    assert error.value.hint == "apt install openssh-client"
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(UsageError, match="Windows"):
        ssh_program()
