"""TLS, or this machine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cluster.address import check_address, is_loopback
from edgevit.errors import UsageError


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786", "tcp://127.0.0.1:8786/"]
)
def test_this_machine_needs_no_tls(url: str) -> None:
    check_address(url, None)


def test_another_machine_with_tls(tls: Path) -> None:
    check_address("tls://desk.example.org:8786", tls)


@pytest.mark.parametrize(
    ("url", "with_tls", "says"),
    [
        ("", False, "is no address"),
        ("desk:8786", False, "is no address"),
        ("http://desk:8786", False, "is no address"),
        ("tcp://desk", False, "is no address"),
        ("tcp://127.0.0.1:99999", False, "is no address"),
        ("tcp://desk:8786", False, "is on another machine"),
        ("tcp://0.0.0.0:8786", False, "is on another machine"),
        ("tcp://192.168.1.2:8786", False, "is on another machine"),
        ("tcp://127.0.0.1:8786", True, "without TLS, and --tls was given"),
        ("tls://desk:8786", False, "needs the cluster's certificate"),
    ],
)
def test_what_is_refused(url: str, with_tls: bool, says: str, tls: Path) -> None:
    with pytest.raises(UsageError, match=says):
        check_address(url, tls if with_tls else None)


def test_a_folder_without_a_key(tls: Path) -> None:
    (tls / "key.pem").unlink()
    with pytest.raises(UsageError, match=r"has no key\.pem"):
        check_address("tls://desk:8786", tls)


def test_loopback() -> None:
    assert is_loopback("127.3.2.1")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("localhost.example.org")
