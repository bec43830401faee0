"""What a board is, and whether it can run artifacts; runs on the board."""

from __future__ import annotations

import importlib
import importlib.util
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgevit.backends.no_telemetry import forbid_telemetry
from edgevit.errors import first_line
from edgevit.measure.emulation import emulation
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.results.measurement import Host

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class ProbeJob:
    """What to look for."""

    threads: int
    runtimes: tuple[tuple[str, ...], ...]
    """Of each runtime that artifacts need, the distributions of which one has to be there, the preferred one first."""


@dataclass(frozen=True)
class PackageFault:
    """A distribution that cannot be used."""

    distribution: str
    version: str | None
    """None where it is not installed."""
    error: str
    """Of the import; "" where it is not installed."""
    wheel_machine: str
    """Machine that its wheel was made for, where that is another one than this; "" otherwise."""


@dataclass(frozen=True)
class BoardFacts:
    """What was found."""

    host: Host
    hostname: str
    machine: str
    """Such as "aarch64"."""
    available_bytes: int | None
    """Memory that can be used without swapping; None where the system does not tell."""
    emulated: str
    """Why it is known to be emulated; "" if nothing says so."""
    faults: tuple[PackageFault, ...]


def probe_board(job: ProbeJob) -> BoardFacts:
    """Looks at this machine, and imports numpy and each runtime.

    Raises:
        UsageError: it cannot run so many threads.
    """
    check_threads(job.threads)
    forbid_telemetry()
    needed = (("numpy",), *job.runtimes)
    return BoardFacts(
        host=host_fingerprint(job.threads),
        hostname=platform.node(),
        machine=platform.machine(),
        available_bytes=_available_bytes(),
        emulated=emulation(),
        faults=tuple(fault for names in needed if (fault := package_fault(names, platform.machine()))),
    )


def package_fault(distributions: tuple[str, ...], machine: str) -> PackageFault | None:
    """Returns why none of some distributions can be imported; None where the first that is installed can.

    Args:
        distributions: Names in pip; the module of each has the same name, with underscores.
        machine: Of this machine, such as "aarch64".
    """
    installed = [name for name in distributions if importlib.util.find_spec(_module(name)) is not None]
    if not installed:
        return PackageFault(distributions[0], None, "", "")
    name = installed[0]
    try:
        importlib.import_module(_IMPORTED.get(name, _module(name)))
    except Exception as error:  # noqa: BLE001  a package for another processor fails in ways of its own
        return PackageFault(name, _version(name), first_line(error)[:300], _wheel_machine(name, machine))
    return None


_IMPORTED = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
"""Modules that load the native code, of packages whose own does not."""


def _module(distribution: str) -> str:
    return distribution.replace("-", "_")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _wheel_machine(distribution: str, machine: str) -> str:
    """The machine that the tags of an installed wheel name, where none of them is this one."""
    try:
        text = metadata.distribution(distribution).read_text("WHEEL") or ""
    except metadata.PackageNotFoundError:
        return ""
    platforms = [line.rpartition("-")[2].strip() for line in text.splitlines() if line.startswith("Tag:")]
    if not platforms or any(each == "any" or each.endswith(machine) for each in platforms):
        return ""
    return next((known for known in _MACHINES if platforms[0].endswith(known)), platforms[0])


_MACHINES = ("x86_64", "aarch64", "armv7l", "armv6l", "i686", "arm64", "riscv64", "ppc64le", "s390x", "amd64")


def _available_bytes() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
