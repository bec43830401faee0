"""Command lines for the system's own OpenSSH client.

Host keys, users, ports, keys and jump hosts are the client's business, with ``~/.ssh/config`` and ``known_hosts`` as they are;
what is fixed here is that nothing is asked, accepted or forwarded. The first connection is shared by all that follow.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address

CONNECT_SECONDS = 10
_ALIVE_SECONDS = 10
"""So often the client asks a silent board for a sign of life; it gives up after three without."""
_FIXED = (
    "BatchMode=yes",  # never asks for a password or a passphrase
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    f"ConnectTimeout={CONNECT_SECONDS}",
    f"ServerAliveInterval={_ALIVE_SECONDS}",
    "ServerAliveCountMax=3",
    "ControlPersist=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "EscapeChar=none",
    "LogLevel=ERROR",
)


def ssh_program() -> str:
    """Returns the path of the OpenSSH client.

    Raises:
        UsageError: it is not installed, or this system's cannot share a connection.
    """
    if sys.platform == "win32":
        raise UsageError("--on needs connection sharing, which OpenSSH lacks on Windows", "run edgevit inside WSL")
    found = shutil.which("ssh")
    if found is None:
        raise UsageError("ssh is not installed: --on uses the system's OpenSSH client", "apt install openssh-client")
    return found


def master_command(program: str, address: Address, socket: Path, remote: str) -> list[str]:
    """Returns the command of the connection that all others share; it lives as long as its remote command.

    Args:
        program: See :func:`ssh_program`.
        address: Of the board.
        socket: Where the others find it; in a folder that only this user may enter.
        remote: A line for the shell of the board.
    """
    return _command(program, address, socket, "yes", remote)


def session_command(program: str, address: Address, socket: Path, remote: str) -> list[str]:
    """Returns a command that shares a connection; the arguments are those of :func:`master_command`."""
    return _command(program, address, socket, "no", remote)


def _command(program: str, address: Address, socket: Path, master: str, remote: str) -> list[str]:
    options = [*_FIXED, f"ControlMaster={master}", f"ControlPath={socket}"]
    return [
        program,
        "-T",
        *(part for option in options for part in ("-o", option)),
        *(("-l", address.user) if address.user else ()),
        *(("-p", str(address.port)) if address.port else ()),
        "--",
        address.host,
        remote,
    ]
