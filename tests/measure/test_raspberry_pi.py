"""A Raspberry Pi's firmware, by its command and by its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.measure.raspberry_pi import (
    Throttling,
    arm_clock_mhz,
    has_under_voltage,
    is_raspberry_pi,
    lowered_clock,
    parse_throttled,
    read_throttling,
    run_command,
)
from tests.measure.machines import JETSON_NANO, RASPBERRY_PI_4, RASPBERRY_PI_4_COMMANDS, Commands, build

ALL = ("under-voltage", "ARM frequency capped", "throttled", "soft temperature limit active")


@pytest.mark.parametrize(
    ("text", "now", "since_boot"),
    [
        ("throttled=0x0\n", (), ()),
        ("throttled=0x50005\n", (ALL[0], ALL[2]), (ALL[0], ALL[2])),
        ("throttled=0x50000\n", (), (ALL[0], ALL[2])),
        ("throttled=0xe0008\n", (ALL[3],), (ALL[1], ALL[2], ALL[3])),
        ("throttled=0xf000f\n", ALL, ALL),
        ("80008\n", (ALL[3],), (ALL[3],)),
        ("0\n", (), ()),
    ],
)
def test_every_bit_in_words(text: str, now: tuple[str, ...], since_boot: tuple[str, ...]) -> None:
    assert parse_throttled(text) == Throttling(now, since_boot)


@pytest.mark.parametrize("text", ["", "VCHI initialization failed", "throttled=", "throttled=0x123456789", "error=1"])
def test_another_text_tells_nothing(text: str) -> None:
    assert parse_throttled(text) is None


@given(st.integers(0, 0xF), st.integers(0, 0xF))
def test_the_two_halves_are_apart(now: int, since_boot: int) -> None:
    found = parse_throttled(f"throttled=0x{since_boot << 16 | now:x}")
    assert found is not None
    assert (len(found.now), len(found.since_boot)) == (now.bit_count(), since_boot.bit_count())


def test_the_file_is_read_where_there_is_no_command(tmp_path: Path) -> None:
    file = {"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"}
    root = build(tmp_path, {**RASPBERRY_PI_4, **file})
    silent = Commands()
    assert read_throttling(root, silent) == Throttling((ALL[0], ALL[2]), (ALL[0], ALL[2]))
    assert silent.asked == ["vcgencmd get_throttled"]
    assert read_throttling(root, Commands(RASPBERRY_PI_4_COMMANDS)) == Throttling((), ())
    assert read_throttling(tmp_path / "none", silent) is None


def test_under_voltage_is_told_by_the_driver_too(tmp_path: Path) -> None:
    root = build(tmp_path, RASPBERRY_PI_4)
    assert not has_under_voltage(root)
    (root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("1\n")
    assert has_under_voltage(root)


def test_the_firmwares_clock() -> None:
    assert arm_clock_mhz(Commands(RASPBERRY_PI_4_COMMANDS)) == pytest.approx(1500.3, abs=0.1)
    assert arm_clock_mhz(Commands()) is None
    assert arm_clock_mhz(Commands({"vcgencmd measure_clock arm": "frequency(48)=0"})) is None


def test_a_lower_clock_than_asked_for_is_told() -> None:
    assert lowered_clock(1500.3, 1500.0) == lowered_clock(None, 1500.0) == lowered_clock(600.0, None) == ()
    assert lowered_clock(600.1, 1500.0) == ("clock 600 MHz where the kernel asked for 1500 MHz",)


def test_only_a_raspberry_pi_is_one(tmp_path: Path) -> None:
    assert is_raspberry_pi(build(tmp_path / "pi", RASPBERRY_PI_4))
    assert not is_raspberry_pi(build(tmp_path / "nano", JETSON_NANO))
    assert not is_raspberry_pi(tmp_path / "none")


def test_a_command_that_is_missing_or_fails_says_nothing() -> None:
    assert run_command(("edgevit-no-such-command",)) is None
    assert run_command(("false",)) is None
    assert run_command(("echo", "throttled=0x0")) == "throttled=0x0\n"
    assert run_command(("printf", "\\377")) == "\N{REPLACEMENT CHARACTER}"
