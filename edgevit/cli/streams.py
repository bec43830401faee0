"""The standard streams of the process: what a full or closed one means, and who may write to stdout."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from edgevit.errors import UsageError


class Results(io.TextIOWrapper):
    """Standard output: what cannot be written to it is an error that says so, but for a pipe without a reader."""

    def write(self, text: str) -> int:
        """Writes text.

        Raises:
            UsageError: the file or disk behind it is full or gone.
            BrokenPipeError: nobody reads it any more.
        """
        with _named():
            return super().write(text)

    def flush(self) -> None:
        """Writes what is buffered; raises as :meth:`write` does."""
        with _named():
            super().flush()


class Messages(io.TextIOWrapper):
    """Standard error: a message that cannot be written is lost, for there is nowhere to say so."""

    def write(self, text: str) -> int:
        """Writes text; raises BrokenPipeError where nobody reads it any more."""
        with _lost():
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Writes what is buffered; raises as :meth:`write` does."""
        with _lost():
            super().flush()


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(
            f"cannot write to standard output: {error.strerror}", "free some space, or give it another file"
        ) from error


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        pass


def open_streams() -> None:
    """Makes the standard streams of this process fit for edgevit: undecodable characters are replaced, not fatal.

    A closed descriptor is filled, or the next file that is opened would take its number, and get what libraries print.

    Raises:
        UsageError: standard output is closed.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = Messages(
            sys.stderr.detach(), "utf-8" if 2 in closed else sys.stderr.encoding, "replace", line_buffering=True
        )
    elif sys.stderr is None:
        sys.stderr = io.StringIO()
    if 1 in closed or sys.stdout is None:
        sys.stdout = io.StringIO()
        raise UsageError("standard output is closed", "give it a file, or /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding, by_line = sys.stdout.encoding, sys.stdout.line_buffering
        sys.stdout = Results(sys.stdout.detach(), encoding, "replace", line_buffering=by_line)


def discard_output() -> None:
    """Leads standard output to the null device where it cannot be written, so that the interpreter's last flush succeeds."""
    try:
        sys.stdout.flush()
    except (OSError, UsageError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    with contextlib.suppress(OSError):
        sys.stderr.flush()


@contextlib.contextmanager
def stdout_for_results() -> Iterator[None]:
    """Sends to stderr whatever a user's model or a library prints on stdout meanwhile, which is for results alone."""
    real: TextIO = sys.stdout
    with contextlib.suppress(OSError):
        real.flush()
    number = _duplicate(1)
    if number is not None and _is_open(2):
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if number is not None:
            os.dup2(number, 1)
            os.close(number)


def _duplicate(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:
        return None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
