"""Whether a measurement can be one of a device: of the machine that it names, by its own processor, undisturbed."""

from __future__ import annotations

import re

from edgevit.devices.device import Device, Unit
from edgevit.results.measurement import Host

_X86 = ("sse", "avx", "amx", "f16c")
_ARM = ("neon", "asimd", "sve", "sme", "i8mm")
_EMULATORS = ("qemu", "tcg", "bochs")
_VENDORS = ("amd", "intel")


def processor_of(device: Device) -> Unit | None:
    """Returns the processor of a device; None where it has none of its own."""
    return next((unit for unit in device.units if unit.kind == "cpu"), None)


def why_not_measured_here(host: Host, device: Device) -> str:
    """Returns why a measurement cannot be one of a device, as far as that is known.

    Args:
        host: The machine that it was made on.
        device: Hardware facts.

    Returns:
        The reason; "" where nothing speaks against it.
    """
    return _emulated(host) or _other_machine(host, device)


def _emulated(host: Host) -> str:
    """An emulator says so, or the instructions are of another processor than the system is for."""
    named = next((name for name in _EMULATORS if name in host.cpu.lower()), None)
    if named:
        return f"it was measured on an emulated processor ({host.cpu})"
    is_arm = re.search(r"\b(aarch64|arm64|armv\d\w*)\b", host.os)
    is_x86 = re.search(r"\b(x86_64|amd64|i[3-6]86)\b", host.os, re.IGNORECASE)
    if (is_arm and _has(host, _X86)) or (is_x86 and _has(host, _ARM) and not _has(host, _X86)):
        return f"it was measured under an emulator: {host.os} on {host.cpu}"
    return ""


def _other_machine(host: Host, device: Device) -> str:
    other = f"it was measured on {host.cpu}, not on {device.title}"
    board = re.search(r"\(([^()]*)\)\s*$", host.cpu)
    names = [_plain(name) for name in (*device.measured_as, device.title.partition("(")[0], device.chip or "")]
    if board and any(name and name in _plain(board.group(1)) for name in names):
        return ""
    processor = processor_of(device)
    cores = [core.architecture for core in processor.cores] if processor else []
    instructions: set[str] = {name for core in (processor.cores if processor else ()) for name in core.instructions}
    if _has(host, _X86):
        return _other_x86(host, device, other) if not instructions or _are(instructions, _X86) else other
    if board and "raspberry pi" in board.group(1).lower() and "raspberry pi" in device.title.lower():
        return other
    known = re.findall(r"(?:Cortex|Neoverse)-[\w-]+", host.cpu)
    if known and cores and not set(known) & set(cores):
        return other
    return other if _has(host, _ARM) and _are(instructions, _X86) else ""


def _other_x86(host: Host, device: Device, other: str) -> str:
    text = f"{device.title} {device.chip or ''}".lower()
    vendor = next((name for name in _VENDORS if name in host.cpu.lower()), None)
    elsewhere = [name for name in _VENDORS if name in text and name != vendor]
    return other if vendor and elsewhere else ""


def _has(host: Host, beginnings: tuple[str, ...]) -> bool:
    return any(name.startswith(beginnings) for name in host.isa)


def _are(instructions: set[str], beginnings: tuple[str, ...]) -> bool:
    return any(name.startswith(beginnings) for name in instructions)


def _plain(text: str) -> str:
    """A name without what writers of it differ in: "Raspberry Pi 4 Model B Rev 1.1" and "Raspberry Pi 4B"."""
    return re.sub(r"[\s_-]|model", "", text.lower().replace("+", "plus"))
