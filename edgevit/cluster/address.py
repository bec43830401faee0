"""Where a scheduler is, and who may reach it: TLS, or this machine alone, for its port carries out what anybody sends."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path

from edgevit.errors import UsageError, first_line

CERTIFICATE, KEY = "cert.pem", "key.pem"
"""Files of a cluster's TLS folder."""
DEFAULT_PORT = 8786
"""Dask's."""
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-f:.]+\]|[^\s:/\[\]]+):(\d{1,5})/?")


def check_address(url: str, tls: Path | None) -> None:
    """Checks the address of a scheduler, and that nobody else can send it tasks.

    Args:
        url: Such as "tls://desk:8786".
        tls: Folder with certificate and key; None without TLS.

    Raises:
        UsageError: it is no such address; or it is not on this machine and without TLS; or the folder lacks a file.
    """
    parts = _ADDRESS.fullmatch(url)
    if parts is None or int(parts[3]) > 65535:
        raise UsageError(
            f"{url!r} is no address of a scheduler",
            f"such as tls://desk:{DEFAULT_PORT}, or tcp://127.0.0.1:{DEFAULT_PORT}",
        )
    if parts[1] == "tcp":
        if tls is not None:
            raise UsageError(f"{url} is without TLS, and --tls was given", f"tls{url[3:]}")
        if not is_loopback(parts[2]):
            raise UsageError(
                f"{url} is on another machine, and whoever reaches a scheduler without TLS can run anything on its workers",
                f"tls{url[3:]} with --tls FOLDER; `edgevit cluster certificate FOLDER` makes one",
            )
        return
    if tls is None:
        raise UsageError(
            f"{url} needs the cluster's certificate",
            "give --tls FOLDER; `edgevit cluster certificate FOLDER` makes one",
        )
    check_tls_folder(tls)


def check_tls_folder(folder: Path) -> None:
    """Checks that a folder has a certificate and a key.

    Raises:
        UsageError: names what is missing.
    """
    for name in (CERTIFICATE, KEY):
        if not (folder / name).is_file():
            raise UsageError(
                f"{folder} has no {name}",
                "`edgevit cluster certificate FOLDER` makes both; copy the folder to each machine",
            )


def is_loopback(host: str) -> bool:
    """Returns whether a host, as in an address, is this machine by the loopback network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_listens(url: str, timeout_seconds: float) -> None:
    """Checks that something listens at an address, which a client of Dask would try again and again.

    Args:
        url: Of the scheduler.
        timeout_seconds: For the connection.

    Raises:
        UsageError: nothing does.
    """
    parts = _ADDRESS.fullmatch(url)
    assert parts is not None  # it was checked
    try:
        socket.create_connection((parts[2].strip("[]"), int(parts[3])), timeout_seconds).close()
    except OSError as error:
        raise no_scheduler(url, error) from error


def no_scheduler(url: str, error: Exception) -> UsageError:
    """Returns the error for a scheduler that is not there."""
    return UsageError(f"there is no scheduler at {url}: {first_line(error)}", "start one with `edgevit cluster start`")


def host_of(url: str) -> str:
    """Returns the host in an address."""
    parts = _ADDRESS.fullmatch(url)
    return parts[2] if parts else url
