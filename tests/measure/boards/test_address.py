"""Addresses of boards."""

from __future__ import annotations

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("pi@raspberrypi.local", Address("ssh", "raspberrypi.local", "pi")),
        ("pi@192.168.1.20:2222", Address("ssh", "192.168.1.20", "pi", 2222)),
        ("jetson", Address("ssh", "jetson")),
        ("host_1:22", Address("ssh", "host_1", None, 22)),
        ("pi@[fe80::1%eth0]:22", Address("ssh", "fe80::1%eth0", "pi", 22)),
        ("[::1]", Address("ssh", "::1")),
        ("adb:R58M12ABCDE", Address("adb", "R58M12ABCDE")),
        ("adb:192.168.1.5:5555", Address("adb", "192.168.1.5:5555")),
    ],
)
def test_an_address_is_read_and_written_again(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "-oProxyCommand=touch", "pi@-host", "a b", "pi@host:0", "pi@host:65536", "pi@host:x", "pi@host; reboot", "@host",
     "pi@", "a@b@c", "adb:", "adb:-s", "adb:a b", "host\n", "$(id)", "ssh://pi@host", "fe80::1"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_address(text)
    assert error.value.hint
