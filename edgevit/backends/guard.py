"""What a runtime raises about a file is the file's fault, said with its name: each runtime has error classes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgevit.errors import EdgevitError, UsageError, first_line
from edgevit.results.artifact import TensorSpec

if TYPE_CHECKING:
    import numpy as np


class Session(Protocol):
    """A loaded artifact. Needs only numpy and its runtime, so that it works on a board."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    runtime_version: str
    precision: str
    """Inference precision, such as "f32"."""
    delegate: str
    """Execution provider or delegate, with its number of partitions where the runtime reports it."""
    threads: int
    """CPU threads that the runtime uses, which may be fewer than it was asked for."""

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once.

        Args:
            feeds: Arrays of the shapes and dtypes in ``inputs``, in that order.

        Returns:
            New arrays of the shapes and dtypes in ``outputs``, in that order.
        """


class GuardedSession:
    """A session whose ``run`` raises nothing but errors of edgevit."""

    def __init__(self, session: Session, title: str, path: Path) -> None:
        self._run = session.run
        self._title = title
        self._path = path
        self.inputs = session.inputs
        self.outputs = session.outputs
        self.runtime_version = session.runtime_version
        self.precision = session.precision
        self.delegate = session.delegate
        self.threads = session.threads

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once, see :meth:`Session.run`.

        Args:
            feeds: Arrays of the shapes and dtypes in ``inputs``, in that order.

        Returns:
            New arrays of the shapes and dtypes in ``outputs``, in that order.

        Raises:
            UsageError: the runtime cannot run the file.
        """
        with blaming(f"{self._title} cannot run {self._path}"):
            return self._run(feeds)


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Turns whatever a library raises about a file into a usage error; errors of edgevit pass.

    Args:
        what: Beginning of the message: who cannot do what with which file.

    Raises:
        UsageError: anything else was raised.
    """
    try:
        yield
    except EdgevitError:
        raise
    except ImportError:
        raise  # of the library itself, not of the file
    except MemoryError as error:
        raise UsageError(f"{what}: it takes more memory than there is", "give a smaller model or batch") from error
    except Exception as error:
        raise UsageError(
            f"{what}: {first_line(error)}", "is the file whole, and made for this runtime? export it again"
        ) from error
