"""Where a board is: ``user@host[:port]`` over SSH, ``adb:SERIAL`` over ADB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from edgevit.errors import UsageError

_HINT = "such as pi@raspberrypi.local, pi@192.168.1.20:2222, a Host of ~/.ssh/config, or adb:SERIAL"
_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?"
_IPV6 = r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]"
_SSH = re.compile(rf"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<host>{_HOST}|{_IPV6})(?::(?P<port>[0-9]{{1,5}}))?")
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


@dataclass(frozen=True)
class Address:
    """Where a board is."""

    kind: Literal["ssh", "adb"]
    host: str
    """Name or address, without brackets; a serial number for ADB."""
    user: str | None = None
    """None where ``~/.ssh/config`` says it, or it is that of this machine."""
    port: int | None = None
    """1..65535; None where ``~/.ssh/config`` says it, or it is 22."""

    def __str__(self) -> str:
        if self.kind == "adb":
            return f"adb:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user + '@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"


def ssh_address(text: str) -> Address:
    """Returns the address of a board that is reached over SSH; see :func:`parse_address`.

    Raises:
        UsageError: it is none, or that of a phone.
    """
    address = parse_address(text)
    if address.kind == "adb":
        raise UsageError(
            f"--on {text}: only boards that are reached over SSH are measured so, and phones by edgevit bench",
            "such as pi@raspberrypi.local",
        )
    return address


def parse_address(text: str) -> Address:
    """Returns the address in "pi@host", "pi@host:2222", "host", "pi@[fe80::1]:22" or "adb:SERIAL".

    Raises:
        UsageError: it is none of these.
    """
    if text.startswith("adb:"):
        serial = text.removeprefix("adb:")
        if not _SERIAL.fullmatch(serial):
            raise UsageError(
                f"--on {text!r} names no phone", "adb:SERIAL, with a serial number that `adb devices` lists"
            )
        return Address("adb", serial)
    found = _SSH.fullmatch(text)
    if found is None:
        raise UsageError(f"--on {text!r} is not the address of a board", _HINT)
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise UsageError(f"--on {text!r}: the port {port} is none", "ports are 1 to 65535; SSH's own is 22")
    return Address("ssh", found["host"].strip("[]"), found["user"], port)
