"""Small files of ``/sys`` and ``/proc``, as text and as numbers; what cannot be read is "" or None, and never an error."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOT = Path("/")
"""Of this machine; tests give a folder that looks like another one."""


def text_of(path: Path) -> str:
    """Returns the text of a file without white space and NUL around it; "" where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace").strip("\0 \t\r\n")
    except OSError:  # it is not there, or root's alone, or the driver answers with an error of its own
        return ""


def number_of(path: Path) -> int | None:
    """Returns the decimal integer in a file; None where it cannot be read, or holds none."""
    return integer(text_of(path))


def integer(text: str) -> int | None:
    """Returns a decimal integer; None where the text is none."""
    try:
        return int(text)
    except ValueError:
        return None


def matches(root: Path, pattern: str) -> list[Path]:
    """Returns the files and folders below ``root`` that match a pattern, in the order of the numbers in their names."""
    try:
        return sorted(root.glob(pattern), key=lambda path: (len(path.name), path.as_posix()))
    except OSError:  # a folder that may not be listed
        return []


def parse_list(text: str) -> frozenset[int]:
    """Returns the numbers in a list of the kernel's, such as "0-3,8" or "0 1 2 3"."""
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        low, high = integer(first), integer(last or first)
        if low is not None and high is not None:
            found.update(range(low, high + 1))
    return frozenset(found)


def show_list(numbers: Iterable[int]) -> str:
    """Returns numbers as the kernel lists them, such as "0-3,8"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
