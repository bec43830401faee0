"""A file that a user gave, and that a runtime crashes on, is bad input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import CandidateFailed, UsageError


@contextmanager
def blaming_file(artifact: Path, there: Path | None = None) -> Iterator[None]:
    """Turns the failure of a child process that works on one file into a usage error that names the file.

    Args:
        artifact: The file, as the user named it.
        there: Its place for the child process, which is replaced by that name in errors.

    Raises:
        UsageError: the child crashed, ran out of time, or raised something of its own.
    """
    try:
        with naming_file(artifact, there or artifact):
            yield
    except CandidateFailed as error:
        raise UsageError(
            f"{artifact}: {error.message}",
            error.hint or "the runtime cannot cope with this file: export it again, or measure another one",
        ) from error


@contextmanager
def naming_file(artifact: Path, there: Path) -> Iterator[None]:
    """Lets usage errors name a file as the user did.

    Args:
        artifact: The file, as the user named it.
        there: Its place for the process that raises them.

    Raises:
        UsageError: one was raised, with that place in its message.
    """
    try:
        yield
    except UsageError as error:
        if str(there) not in error.message:
            raise
        raise UsageError(error.message.replace(str(there), str(artifact)), error.hint) from error
