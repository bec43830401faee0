"""A fleet file: the boards that are measured side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edgevit.backends import get_backend
from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address, ssh_address
from edgevit.measure.boards.connection import BoardSpec
from edgevit.spec.input_file import require_file
from edgevit.spec.toml_files import find, read_toml, validate

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class _Entry(BaseModel):
    """One ``[[board]]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    """As measurements have it."""
    address: str
    """For SSH, as ``--on`` takes it."""
    device: str | None = None
    """Name of its device profile, or a file; for those who compare it with predictions."""
    runtimes: list[str] | None = None
    """Runtimes or formats that it has; not checked when not given."""
    lock: Literal["wait", "refuse"] = "wait"
    """What to do while another bench runs there."""
    python: str = "python3"
    """That runs there."""


class _Fleet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    board: list[_Entry]


@dataclass(frozen=True)
class FleetBoard:
    """A board of a fleet."""

    name: str
    spec: BoardSpec
    device: str | None = None
    """Name of its device profile; None where nobody said it."""
    runtimes: tuple[str, ...] | None = None
    """Names of the backends that it has; None where nobody said which."""


def read_fleet(path: Path, wait_seconds: float) -> tuple[FleetBoard, ...]:
    """Reads a fleet file.

    Args:
        path: TOML with ``[[board]]`` entries.
        wait_seconds: How long a board whose ``lock`` is "wait" is waited for.

    Raises:
        UsageError: it is not there, a key or value is none, or two boards have the same name or address.
    """
    document = read_toml(require_file(path, "fleet file", "a TOML with one [[board]] for each"))
    entries = validate(_Fleet, document, str(path)).board
    if not entries:
        raise UsageError(f"{path} names no board", "add one: [[board]], name, address")
    boards = tuple(_board(entry, str(path), wait_seconds) for entry in entries)
    check_distinct(boards, str(path))
    return boards


def fleet_of(addresses: Sequence[str], python: str, wait_seconds: float) -> tuple[FleetBoard, ...]:
    """Returns boards that are told by their addresses alone; each is named by its host, or its whole address where two have the same host.

    Args:
        addresses: For SSH, as ``--on`` takes them.
        python: That runs on each.
        wait_seconds: How long to wait for another bench to end.

    Raises:
        UsageError: one is no address, or is given twice.
    """
    found = [ssh_address(each) for each in addresses]
    hosts = [address.host for address in found]
    names = [host if hosts.count(host) == 1 else str(address) for host, address in zip(hosts, found, strict=True)]
    boards = tuple(
        FleetBoard(name, BoardSpec(address, python, wait_seconds, name))
        for name, address in zip(names, found, strict=True)
    )
    check_distinct(boards, "--on")
    return boards


def check_distinct(boards: tuple[FleetBoard, ...], where: str) -> None:
    """Checks that no two boards share a name or an address.

    Raises:
        UsageError: two do; ``where`` is where they were named.
    """
    for values in ([board.name for board in boards], [str(board.spec.address) for board in boards]):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise UsageError(f"{where}: {twice} is given twice", "each board is measured once")


def _board(entry: _Entry, where: str, wait_seconds: float) -> FleetBoard:
    if not _NAME.fullmatch(entry.name) or entry.name == "host":
        raise UsageError(
            f"{where}: {entry.name!r} is no name of a board", 'such as "pi5": letters a to z, digits, . _ -'
        )
    address = parse_address(entry.address)
    if address.kind != "ssh":
        raise UsageError(
            f"{where}: {entry.name} is not reached over SSH", "phones are measured one by one: --on adb:SERIAL"
        )
    if entry.device is not None:
        find("devices", entry.device)
    spec = BoardSpec(address, entry.python, wait_seconds if entry.lock == "wait" else 0.0, entry.name)
    runtimes = None if entry.runtimes is None else tuple(get_backend(name).name for name in entry.runtimes)
    return FleetBoard(entry.name, spec, entry.device, runtimes)
