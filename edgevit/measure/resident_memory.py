"""Resident memory of this process in bytes: as Linux counts it, else as the C library tells it, or psutil on Windows."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]


def resident_bytes() -> int:
    """Returns the resident memory of the process now, or its peak where the system reports only that."""
    if _STATUS.exists():
        return _status_bytes("VmRSS")
    return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Returns the peak resident memory of the process, since :func:`reset_peak` where that is supported."""
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    if resource is None:
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> bool:
    """Restarts the peak from the present; returns whether the system supports it (Linux with a writable /proc)."""
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
