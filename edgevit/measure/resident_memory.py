"""Resident memory of this process, as Linux counts it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """Memory that the process holds now; its peak where the system does not tell the present."""
    if _STATUS.exists():
        return _status_bytes("VmRSS")
    return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Most memory that the process ever held, since :func:`reset_peak` where that works."""
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> bool:
    """Lets the peak count from here on; returns whether the system could (Linux with /proc writable)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")
