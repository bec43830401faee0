"""Why ``ssh`` failed, from what OpenSSH prints (in English, whatever the locale), and what to do about it."""

from __future__ import annotations

import re

from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address

SSH_FAILED = 255
"""Exit code of ``ssh`` where it, and not the remote command, failed."""
_NOT_FOUND = (126, 127)
"""Exit codes of shells for a command that is not there, or is no program."""


def connection_error(address: Address, printed: str) -> UsageError:
    """Returns the error for a connection that could not be made.

    Args:
        address: Of the board.
        printed: What ``ssh`` printed on stderr.
    """
    port = address.port or 22
    key = re.search(
        r"host key (?:is known )?for (?:\[(?P<host>\S+)\]:(?P<port>[0-9]+)|(?P<name>\S+)) (?:and|has)", printed, re.I
    )
    host, port_there = (key["host"] or key["name"], key["port"]) if key else (address.host, str(port))
    where = host if port_there in (None, "22") else f"-p {port_there} {host}"
    compare = (
        f"ssh-keyscan {where} >> ~/.ssh/known_hosts, and compare `ssh-keygen -F"
        f" '{host if port_there in (None, '22') else f'[{host}]:{port_there}'}' -l` with `ssh-keygen -lf"
        " /etc/ssh/ssh_host_ed25519_key.pub` on the board itself"
    )
    if "IDENTIFICATION HAS CHANGED" in printed or (key and "has changed" in printed):
        known_as = host if port_there in (None, "22") else f"[{host}]:{port_there}"
        return UsageError(
            f"{address}: its host key is another one than in known_hosts: it was set up anew, or another machine answers",
            f"if it was set up anew: ssh-keygen -R '{known_as}'; then {compare}",
        )
    if key or "Host key verification failed" in printed:
        return UsageError(
            f"{address}: its host key is not in known_hosts, so that any machine may have answered", compare
        )
    if re.search(r"Permission denied|Too many authentication failures|no mutual signature", printed):
        return UsageError(
            f"{address}: it refuses the keys of this user ({_last_line(printed)})",
            f"ssh-copy-id {f'-p {port} ' if port != 22 else ''}{_login(address)}, or load the key into ssh-agent; passwords are not asked for",
        )
    if re.search(r"Could not resolve hostname|Name or service not known", printed):
        return UsageError(
            f"{address}: there is no such host ({_last_line(printed)})", "is the name right, and known in this network?"
        )
    if re.search(r"timed out|No route to host|Network is unreachable|Host is down|Connection refused", printed):
        return UsageError(
            f"{address} cannot be reached ({_last_line(printed)})",
            f"is it switched on, in this network, and does it run an SSH server on port {port}?",
        )
    return UsageError(f"{address}: ssh failed: {_last_line(printed)}", f"try it alone: {_by_hand(address)}")


def command_error(address: Address, python: str, code: int, printed: str) -> UsageError:
    """Returns the error for a board on which Python did not start, though the connection was made.

    Args:
        address: Of the board.
        python: That was to be started there.
        code: Exit code of the remote command.
        printed: What it printed at last.
    """
    if code in _NOT_FOUND:
        return UsageError(
            f"{address} has no {python}",
            "install it there (apt install python3), or name another one with --python, such as that of a virtual"
            " environment: --python '~/edgevit/bin/python'",
        )
    said = f": {_last_line(printed)}" if printed.strip() else ""
    return UsageError(
        f"{address}: {python} ended with exit code {code} before it said anything{said}",
        f"does the shell there end by itself, as in .bashrc? try {_by_hand(address)} {python} -V",
    )


def lost_error(address: Address, doing: str, printed: str) -> UsageError:
    """Returns the error for a connection that was cut.

    Args:
        address: Of the board.
        doing: What was being done: "sending model.tflite".
        printed: What ``ssh`` printed on stderr.
    """
    said = f" ({_last_line(printed)})" if printed.strip() else ""
    return UsageError(
        f"{address}: the connection was lost while {doing}{said}",
        "what ran there ends by itself; run the same command again once the board can be reached",
    )


def ended_error(address: Address, doing: str, code: int, printed: str) -> UsageError:
    """Returns the error for edgevit's own program on a board that ended without an answer.

    Args:
        address: Of the board.
        doing: What was being done.
        code: Its exit code.
        printed: What it printed on stderr.
    """
    said = f": {_last_line(printed)}" if printed.strip() else ""
    return UsageError(
        f"{address}: the program there ended with exit code {code} while {doing}{said}",
        f"is its home folder one that can be written to? start afresh: edgevit bench --on {address} --clean",
    )


def _last_line(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it gave no reason"


def _login(address: Address) -> str:
    return f"{address.user}@{address.host}" if address.user else address.host


def _by_hand(address: Address) -> str:
    return f"ssh {f'-p {address.port} ' if address.port else ''}{_login(address)}"
