"""A board that is ready to measure: connected, locked, looked at, and with what the artifacts need."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from edgevit.backends import Backend, backend_of_file
from edgevit.backends.onnxruntime.providers import VARIABLE, asked_provider
from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address
from edgevit.measure.boards.board_child import BoardChild
from edgevit.measure.boards.cache import SCRATCH, SentFile
from edgevit.measure.boards.connection import BoardSpec, Connection, Tell, connect
from edgevit.measure.boards.probe import BoardFacts, PackageFault, ProbeJob, probe_board
from edgevit.measure.boards.session import Session, board_error, start_ssh
from edgevit.results.measurement import Host
from edgevit.run.child_process import run_in_child
from edgevit.run.files import file_sha256
from edgevit.run.task import Task

_CHUNK = 1 << 18
_MOST_AT_ONCE = 8
"""Sessions beside that of the lock: sshd allows ten on one connection."""
_MEMORY_PER_CHILD = 500_000_000
"""Bytes that have to be available for each artifact that is loaded beside others."""
_ALWAYS_NEEDED = "numpy"
_ALSO_RUN_BY = {"ai-edge-litert": ("tflite-runtime",)}
"""Distributions that a backend takes where its own is not there."""


@dataclass(frozen=True)
class Board:
    """A board that is ready."""

    spec: BoardSpec
    facts: BoardFacts
    connection: Connection
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def address(self) -> Address:
        """Where it is."""
        return self.spec.address

    @property
    def name(self) -> str:
        """That measurements have as their device."""
        return self.spec.name or self.address.host

    @property
    def host(self) -> Host:
        """Its fingerprint."""
        return self.facts.host

    @property
    def emulated(self) -> str:
        """Why it is known to be emulated; "" if nothing says so."""
        return self.facts.emulated

    def scratch(self) -> AbstractContextManager[Path]:
        """Gives a folder there for files that are not kept; what is left in it is removed when the board is used next."""
        return nullcontext(Path(self.connection.folder, SCRATCH))

    @property
    def at_once(self) -> int:
        """Artifacts that may be loaded side by side."""
        available = self.facts.available_bytes
        room = self.host.cores if available is None else available // _MEMORY_PER_CHILD
        return int(max(1, min(self.host.cores, room, _MOST_AT_ONCE)))

    def lacks(self, backend: Backend) -> str:
        """Returns why a backend cannot be used there, such as "openvino is not installed there"; "" where it can."""
        runtimes = (backend.runtime, *_ALSO_RUN_BY.get(backend.runtime, ()))
        fault = next((each for each in self.facts.faults if each.distribution in runtimes), None)
        if fault is None:
            return ""
        how = "is not installed there" if fault.version is None else f"cannot be imported there: {fault.error}"
        return f"{fault.distribution} {how}"

    def start(self, log: IO[bytes]) -> BoardChild:
        """Starts a child there; for :func:`edgevit.run.child_process.run_in_child`.

        Raises:
            UsageError: the connection is lost.
        """
        return _start(self.connection, log)

    def send(self, artifact: Path, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
        """Sends the files of an artifact that are not there already.

        Args:
            artifact: Main file, of this machine.
            on_progress: Gets the bytes sent, and those to send.

        Returns:
            The main file there.

        Raises:
            UsageError: the connection is lost, or the disk there is full.
        """
        files = backend_of_file(artifact).files_of(artifact)
        return self._send(files, artifact.parent, artifact.name, on_progress) / artifact.name

    def send_files(
        self, files: Sequence[Path], what: str, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> tuple[Path, ...]:
        """Sends files that are not there already.

        Args:
            files: Of one folder of this machine.
            what: They are, for errors.
            on_progress: See :meth:`send`; first called before any byte is sent.

        Returns:
            The files there.

        Raises:
            UsageError: the connection is lost, or the disk there is full.
        """
        folder = self._send(files, files[0].parent, what, on_progress)
        return tuple(folder / path.name for path in files)

    def _send(self, files: Sequence[Path], folder: Path, what: str, on_progress: Callable[[int, int], None]) -> Path:
        """Sends files; returns the folder there that stands for theirs."""
        sent = {
            SentFile(path.relative_to(folder).as_posix(), file_sha256(path), path.stat().st_size): path
            for path in files
        }
        session = Session(self.connection.remote, self.connection.command("store"), f"store-{next(self._numbers)}")
        try:
            session.doing = f"sending {what}"
            return Path(_store(session, self.address, sent, on_progress))
        finally:
            session.close()


@contextmanager
def open_board(
    asked: BoardSpec,
    backends: Sequence[Backend],
    threads: int,
    timeout_seconds: float,
    tell: Tell,
    *,
    need_all: bool = True,
) -> Iterator[Board]:
    """Connects to a board, takes its lock, and checks that it can run artifacts.

    Args:
        asked: Which.
        backends: Of the artifacts.
        threads: That will be used.
        timeout_seconds: For the look at it.
        tell: Gets a line when another bench is waited for.
        need_all: Whether all backends have to be usable there, or one of them is enough.

    Raises:
        UsageError: see :func:`edgevit.measure.boards.connection.connect`; or another provider of ONNX Runtime is asked for; or numpy or a runtime cannot be used there, or it has
            too few processors for so many threads.
    """
    if asked_provider() != "cpu":
        raise UsageError(
            f"{VARIABLE} is for this machine, and --on measures on another",
            "unset it, or measure in a shell of the board",
        )
    needed = tuple((backend.runtime, *_ALSO_RUN_BY.get(backend.runtime, ())) for backend in backends)
    with connect(asked, tell) as connection:
        facts = run_in_child(
            Task(probe_board, ProbeJob(threads, tuple(dict.fromkeys(needed))), BoardFacts),
            timeout_seconds=timeout_seconds,
            log=connection.remote.private / "probe.log",
            start=lambda log: _start(connection, log),
        )
        board = Board(asked, facts, connection)
        is_usable = not any(map(board.lacks, backends)) if need_all else not all(map(board.lacks, backends))
        for fault in facts.faults:
            if not is_usable or fault.distribution == _ALWAYS_NEEDED:
                raise package_error(asked.address, asked.python, facts.machine, fault)
        yield board


def package_error(address: Address, python: str, machine: str, fault: PackageFault) -> UsageError:
    """Returns the error for a package that a board lacks, or cannot import.

    Args:
        address: Of the board.
        python: That runs there.
        machine: Of the board, such as "aarch64".
        fault: What is wrong with the package.
    """
    if fault.version is None:
        pip = f"pip install {fault.distribution}"
        venv = "python3 -m venv ~/edgevit && ~/edgevit/bin/" + pip + ", then --python '~/edgevit/bin/python'"
        return UsageError(
            f"{address}: {fault.distribution} is not installed for {python} there",
            f"on the board: {venv}" if python == "python3" else f"on the board: {python} -m {pip}",
        )
    again = f"on the board: {python} -m pip install --force-reinstall {fault.distribution}"
    if fault.wheel_machine:
        return UsageError(
            f"{address}: {fault.distribution} {fault.version} there is a wheel for {fault.wheel_machine}, and the board is"
            f" {machine}: {fault.error}",
            again,
        )
    return UsageError(f"{address}: {fault.distribution} {fault.version} there cannot be imported: {fault.error}", again)


def _start(connection: Connection, log: IO[bytes]) -> BoardChild:
    return BoardChild(start_ssh(connection.command("task"), log), connection.remote.address)


def _store(
    session: Session, address: Address, files: dict[SentFile, Path], on_progress: Callable[[int, int], None]
) -> str:
    """Sends what is not there; returns the folder there."""
    key = hashlib.sha256(json.dumps([[each.name, each.sha256] for each in files]).encode()).hexdigest()
    asked = {"key": key, "files": [asdict(each) for each in files]}
    with suppress(OSError):  # it has ended, which its answer tells
        session.write(json.dumps(asked).encode() + b"\n")
    answer = session.answer()
    paths = {each.sha256: path for each, path in files.items()}
    missing = [paths[sha256] for sha256 in answer["missing"]]
    total = sum(path.stat().st_size for path in missing)
    if total > answer["free_bytes"]:
        room = f"{total} bytes are to be sent, and {answer['free_bytes']} are free"
        raise board_error(address, {"error": "disk full", "message": room}, session.doing)
    if total:
        on_progress(0, total)
    with suppress(OSError):
        done = 0
        for path in missing:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    session.write(chunk)
                    done += len(chunk)
                    on_progress(done, total)
    return str(session.answer()["folder"])
