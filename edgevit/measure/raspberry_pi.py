"""What a Raspberry Pi's firmware tells: throttling and under-voltage, and the clock that the processor really has.

``vcgencmd`` asks the firmware, and needs the group "video". The file ``get_throttled`` of its driver has the same bits, but
only as of the last time that somebody asked, and the kernel logs a warning when it is read: so it comes second. The driver
``rpi_volt`` looks for under-voltage every two seconds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edgevit.measure.sysfs import matches, number_of, text_of

RunCommand: TypeAlias = Callable[[Sequence[str]], "str | None"]
"""Runs a command and returns what it prints; None where there is no such command, or it fails."""

UNDER_VOLTAGE = "under-voltage"
_NOW = {0: UNDER_VOLTAGE, 1: "ARM frequency capped", 2: "throttled", 3: "soft temperature limit active"}
"""Bits of ``get_throttled``: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""
_SINCE_BOOT = 16
"""The same, having happened since the start, are so many bits higher."""
_GET_THROTTLED = "sys/devices/platform/*/*firmware/get_throttled"
"""``soc/soc:firmware``; on a Raspberry Pi 5 ``axi`` or ``soc@…`` in its place."""
_LOWER = 0.95
"""The firmware's clock as a share of the kernel's, below which the firmware has lowered it."""
_COMMAND_SECONDS = 2.0


@dataclass(frozen=True)
class Throttling:
    """The bits of ``get_throttled`` in words."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


def run_command(arguments: Sequence[str]) -> str | None:
    """Runs a command of this machine, see ``RunCommand``."""
    if shutil.which(arguments[0]) is None:
        return None
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def is_raspberry_pi(root: Path) -> bool:
    """Returns whether the device tree names a Raspberry Pi."""
    return text_of(root / "proc/device-tree/model").startswith("Raspberry Pi")


def read_throttling(root: Path, run: RunCommand) -> Throttling | None:
    """Returns what the firmware says of throttling; None where neither its command nor its file can be read.

    Args:
        root: Of the machine.
        run: Runs ``vcgencmd get_throttled``.
    """
    found = parse_throttled(run(("vcgencmd", "get_throttled")) or "")
    if found is not None:
        return found
    texts = (text_of(path) for path in matches(root, _GET_THROTTLED))
    return next((found for text in texts if (found := parse_throttled(text))), None)


def parse_throttled(text: str) -> Throttling | None:
    """Returns the bits in "throttled=0x50005", as the command prints them, or in "50005", as the file has them.

    Returns:
        None for any other text.
    """
    digits = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text.strip())
    if digits is None:
        return None
    bits = int(digits[1], 16)
    now = tuple(word for bit, word in _NOW.items() if bits >> bit & 1)
    since_boot = tuple(word for bit, word in _NOW.items() if bits >> (bit + _SINCE_BOOT) & 1)
    return Throttling(now, since_boot)


def under_voltage_alarms(root: Path) -> list[Path]:
    """Returns the files that hold 1 while the driver ``rpi_volt`` sees under-voltage: one, or none where it is not loaded."""
    folders = (path.parent for path in matches(root, "sys/class/hwmon/hwmon*/name") if text_of(path) == "rpi_volt")
    return [folder / "in0_lcrit_alarm" for folder in folders]


def has_under_voltage(root: Path) -> bool:
    """Returns whether the driver ``rpi_volt`` sees under-voltage; False where it is not loaded."""
    return any(number_of(alarm) == 1 for alarm in under_voltage_alarms(root))


def arm_clock_mhz(run: RunCommand) -> float | None:
    """Returns the clock of the CPUs as the firmware measures it, in MHz; None where it does not tell."""
    found = re.fullmatch(r"frequency\([0-9]+\)=([0-9]+)", (run(("vcgencmd", "measure_clock", "arm")) or "").strip())
    return int(found[1]) / 1e6 if found and int(found[1]) else None


def lowered_clock(firmware_mhz: float | None, kernel_mhz: float | None) -> tuple[str, ...]:
    """Returns in words that the firmware gives the CPUs a lower clock than the kernel asked for; () where it does not.

    Args:
        firmware_mhz: As :func:`arm_clock_mhz`, read before the other: a governor lowers clocks when a load ends.
        kernel_mhz: ``scaling_cur_freq``.
    """
    if firmware_mhz is None or kernel_mhz is None or firmware_mhz >= _LOWER * kernel_mhz:
        return ()
    return (f"clock {firmware_mhz:.0f} MHz where the kernel asked for {kernel_mhz:.0f} MHz",)
