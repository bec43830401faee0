"""The errors edgevit raises on purpose, and the exit code each ends a command with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of commands; CI relies on these numbers."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    BUG = 3
    INTERRUPTED = 130


class EdgevitError(Exception):
    """An expected failure: what is wrong and where, and in ``hint`` what to do next."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EdgevitError):
    """Bad usage, spec, file or environment (exit 2)."""


class DiskFull(UsageError):
    """There is no space left for what has to be written (exit 2)."""


class OpenShapes(UsageError):
    """A tensor of an artifact has a shape that the file leaves open, so that it is not known what it takes (exit 2)."""

    def __init__(self, message: str, hint: str, tensor: str) -> None:
        super().__init__(message, hint)
        self.tensor = tensor
        """Its name, and what makes it."""


class RunMismatch(EdgevitError):
    """A run folder holds what this version of edgevit cannot continue; the whole run ends (exit 2)."""


class CheckFailed(EdgevitError):
    """A budget, parity or accuracy check failed (exit 1)."""

    exit_code = ExitCode.CHECK_FAILED


class CandidateFailed(EdgevitError):
    """One candidate crashed, timed out or could not be made; the other candidates go on."""

    exit_code = ExitCode.CHECK_FAILED


class ProcessKilled(CandidateFailed):
    """The process of a task was killed from outside; the same task may well succeed when it is tried again."""


def closest(value: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Returns up to ``limit`` known names, nearest in spelling to ``value`` first."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(value.lower(), list(by_lower), n=limit, cutoff=0.5)
    return [by_lower[match] for match in matches]


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text that is not blank, or the name of its class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)


def unknown_name(kind: str, value: str, known: Iterable[str], *, next_step: str | None = None) -> UsageError:
    """Builds the error for a name that is not in a list, with the nearest names.

    Args:
        kind: What the name should be, for people: "backend", "device".
        value: What was given.
        known: Every valid name.
        next_step: What to do if none of the nearest names is meant; the whole list when omitted.

    Returns:
        The error, for the caller to raise.
    """
    names = sorted(known)
    near = closest(value, names)
    listing = f"known: {', '.join(names)}" if len(names) <= 30 else f"{len(names)} are known"
    hint = "; ".join(
        part for part in (f"did you mean {' or '.join(near)}?" if near else "", next_step or listing) if part
    )
    shown = value if len(value) <= 80 else f"{value[:77]}..."
    return UsageError(f"unknown {kind}: {shown!r}", hint)
