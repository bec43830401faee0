"""Where a limit stands in its budget file."""

from __future__ import annotations

import re

from edgevit.gate.verdict import Check

_HEADER = re.compile(r"\s*\[{1,2}([^\[\]#]+|[^#]*\"[^\"]*\"[^#]*)\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[A-Za-z0-9_-]+|\"([^\"]*)\"|'([^']*)'")


def line_of(text: str, key: str) -> int:
    """Returns the line of a key in a TOML file, counted from 1.

    Args:
        text: Of the file.
        key: With its tables, such as ``devices.host.latency_p50_ms``.

    Returns:
        The line of the key, else of the nearest table around it, else 1.
    """
    wanted = _parts(key)
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header, entry = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            table = _parts(header[1])
            found.setdefault(table, number)
        elif entry:
            found.setdefault((*table, *_parts(entry[1])), number)
    places = (found.get(wanted[:length]) for length in range(len(wanted), 0, -1))
    return next((number for number in places if number), 1)


def sentence(check: Check) -> str:
    """Returns what a check found, in one line: metric, device, and why it came to that."""
    device = f" on {check.device}" if check.device else ""
    return f"{check.metric}{device}: {check.message}"


def title_of(check: Check) -> str:
    """Returns what was tested, such as "latency p50 on host <= devices.host.latency_p50_ms"."""
    device = f" on {check.device}" if check.device else ""
    bound = {"<=": "at most", ">=": "at least", "is": ""}[check.operator]
    kind = "baseline" if check.baseline is not None else "limit"
    return f"{check.metric}{device}{f', {bound} the {kind}' if bound else ''}"


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part[1] or part[2] or part[0].strip("\"'") for part in _PART.finditer(key))
