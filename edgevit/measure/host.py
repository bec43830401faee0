"""Facts about this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.measure.cpuinfo import parse_cpuinfo
from edgevit.results.measurement import Host

THREADS_PER_CORE = 4
"""Most threads for each processor that are measured: more tell nothing but how they wait for each other."""


def governor() -> str:
    """Returns the CPU frequency governor, or "unknown" where the system does not report it."""
    return _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")).strip() or "unknown"


_PRECISION_ISA = {"bf16": ("avx512_bf16", "amx_bf16", "bf16")}
"""Instruction sets that compute in a precision; those that every processor has are left out."""


def has_precision(precision: str, isa: tuple[str, ...]) -> bool:
    """Returns whether a processor computes in a float precision.

    Args:
        precision: "f32", "bf16" or "fastest".
        isa: Its instruction sets, as in :attr:`edgevit.results.measurement.Host.isa`.
    """
    needed = _PRECISION_ISA.get(precision)
    return needed is None or not set(needed).isdisjoint(isa)


def host_fingerprint(threads: int) -> Host:
    """Returns a description of this machine.

    Args:
        threads: CPU threads that inference uses, ≥ 1.

    Returns:
        The facts; what the system does not report is "unknown", or 0 bytes for memory.
    """
    cpu, isa = parse_cpuinfo(_read(Path("/proc/cpuinfo")))
    return Host(
        cpu=cpu or platform.processor() or platform.machine() or "unknown",
        cores=os.cpu_count() or 1,
        isa=isa,
        memory_bytes=_memory_bytes(),
        os=_os_name(),
        python=platform.python_version(),
        governor=governor(),
        threads=threads,
    )


def threads_note(asked: int, used: int, cores: int) -> str:
    """Returns "4 threads on 2 cores" where there are more threads than cores, or how many of them ran; "" otherwise.

    Args:
        asked: Threads that the runtime was to use.
        used: Threads that it uses.
        cores: Of this machine.
    """
    if used < asked:
        return f"{used} of the {asked} threads asked for: the runtime uses no more"
    return f"{used} threads on {cores} core{'' if cores == 1 else 's'}" if used > cores else ""


def check_threads(threads: int, cores: int | None = None) -> None:
    """Checks that a machine can run so many threads in any sensible way.

    Args:
        threads: Asked for.
        cores: Of the machine; those of this one when None.

    Raises:
        UsageError: there are more than four for each of its processors.
    """
    cores = cores or os.cpu_count() or 1
    if threads > THREADS_PER_CORE * cores:
        raise UsageError(
            f"{threads} threads are more than this machine can use: it has {cores} processor{'' if cores == 1 else 's'}",
            f"the most that is measured is {THREADS_PER_CORE * cores}; {cores} are the most that run side by side",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _memory_bytes() -> int:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return 0
    return max(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), 0)


def _os_name() -> str:
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):
        return kernel
