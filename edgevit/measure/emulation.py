"""Whether this process runs on an emulated processor, whose times say nothing about a board.

User-mode emulation (qemu-user, Rosetta) translates a program and keeps the kernel of the machine below. It answers
``uname`` in the place of the kernel, and shows another ``/proc/cpuinfo``; what it does not hide is looked at here.
"""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

from edgevit.errors import UsageError

_FAMILIES = {"x86": r"x86|i[3-6]86|amd64", "arm": r"arm|aarch64", "riscv": r"riscv", "ppc": r"ppc|powerpc"}
_TRANSLATORS = re.compile(r"qemu-[a-z0-9_]+|rosetta|box64|box86|FEXInterpreter", re.IGNORECASE)


def emulation(root: Path = Path("/")) -> str:
    """Returns why this process is known to be emulated, such as "aarch64 programs on an x86 processor"; "" if nothing says so.

    Args:
        root: Holds ``proc`` and ``sys``.
    """
    machine = platform.machine()
    return emulation_from(machine, _modalias(root), _programs(root), _kernel_machine())


def emulation_from(machine: str, modalias: str, programs: tuple[str, ...], kernel_machine: str) -> str:
    """Returns what :func:`emulation` does, from what was read.

    Args:
        machine: That ``uname`` names to this process.
        modalias: Text of ``/sys/devices/system/cpu/modalias``, "cpu:type:x86,ven…"; "" where there is none.
        programs: Files that the kernel says this process executes.
        kernel_machine: That ``uname -m`` names as a program of its own; "" where it could not be run.
    """
    translator = next((found[0] for each in programs if (found := _TRANSLATORS.search(each.rpartition("/")[2]))), "")
    by = f", by {translator}" if translator else ""
    for processor in (re.sub(r"^cpu:type:([^,:]*).*", r"\1", modalias.strip(), flags=re.DOTALL), kernel_machine):
        if _family(processor) and _family(machine) and _family(processor) != _family(machine):
            return f"{machine} programs on a processor of type {processor}{by}"
    return f"{machine} programs{by}" if translator else ""


def refuse_emulated(reason: str, what: str) -> None:
    """Refuses to rest anything on the times of an emulator.

    Args:
        reason: See :func:`emulation`.
        what: That they would be: "calibrated", "an anchor".

    Raises:
        UsageError: there is a reason.
    """
    if reason:
        raise UsageError(
            f"emulated times say nothing about a board, and cannot be {what}: {reason}", "measure on the board itself"
        )


def _family(machine: str) -> str:
    return next((name for name, pattern in _FAMILIES.items() if re.match(pattern, machine, re.IGNORECASE)), "")


def _modalias(root: Path) -> str:
    try:
        return (root / "sys/devices/system/cpu/modalias").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _programs(root: Path) -> tuple[str, ...]:
    """By links that emulators do not replace: those of the threads, in place of the process's own."""
    try:
        return tuple(str((thread / "exe").readlink()) for thread in (root / "proc/self/task").iterdir())
    except OSError:
        return ()


def _kernel_machine() -> str:
    """What a program of the system is told: one that is not emulated sees the kernel's own answer."""
    try:
        done = subprocess.run(
            ["uname", "-m"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
