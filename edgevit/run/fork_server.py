"""Warm children: a server process imports heavy libraries once, and forks a fresh process for each task (Linux).

The server is a new interpreter with one thread, so that forking it is safe: it imports and forks, and does nothing else.
Each child has the pipes, the log and the end of a child that starts cold, see :mod:`edgevit.run.child_process`. Where
the parent dies the server reads the end of its socket and ends, and the kernel kills its children.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edgevit.errors import ExitCode
from edgevit.run.child_process import SAFE_PATH, THREAD_VARIABLES, child_environment, serve
from edgevit.run.files import open_to_append

_SERVE = (
    SAFE_PATH
    + "from edgevit.run.fork_server import serve_forks; serve_forks(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])"
)
_FORK, _KILL = b"f", b"k"
_MESSAGE = struct.Struct("ci")
"""What is to be done, and the number of the child."""
_STATUS = struct.Struct("i")
_LOOK_EVERY_S = 0.2
"""For the parent, while modules are imported."""
_SINGLE_THREADED = dict.fromkeys(THREAD_VARIABLES, "1")
"""Libraries start their threads while they are imported, and no child would have them after a fork; and what a child
computes must not depend on how many others run beside it."""


class ForkServer:
    """A server process with some modules imported."""

    def __init__(self, modules: tuple[str, ...], log: Path) -> None:
        """Starts the server; it imports while the caller goes on.

        Args:
            modules: To import; one that is missing is left for the child that needs it.
            log: Gets what they print.
        """
        self._lock = threading.Lock()
        self._children = 0
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open_to_append(log) as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", _SERVE, str(theirs.fileno()), str(os.getpid()), *modules],
                env=child_environment(_SINGLE_THREADED),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=[theirs.fileno()],
            )

    def fork(self, log: IO[bytes]) -> ForkedChild:
        """Starts a child.

        Args:
            log: Gets what it prints.

        Raises:
            ConnectionError: the server has ended.
        """
        ends = [os.pipe() for _ in range(3)]
        (question_out, question_in), (answer_out, answer_in), (status_out, status_in) = ends
        theirs = [question_out, answer_in, log.fileno(), status_in]
        with self._lock:
            number, self._children = self._children, self._children + 1
            try:
                socket.send_fds(self._socket, [_MESSAGE.pack(_FORK, number)], theirs)
            finally:
                for end in (question_out, answer_in, status_in):
                    os.close(end)
        return ForkedChild(self, number, question_in, answer_out, status_out)

    def kill(self, number: int) -> None:
        """Lets a child be killed; does nothing where it, or the server, has ended."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.send(_MESSAGE.pack(_KILL, number))

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended, and all its children with it."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Waits until the server has ended and returns its exit code, that of a signal negative."""
        return self._process.wait()

    def close(self) -> None:
        """Ends the server and every child that still runs."""
        with self._lock:
            self._socket.close()
        self._process.kill()  # it may still be importing
        self.wait()


class ForkedChild:
    """A child of a server, with what :class:`subprocess.Popen` has; see :class:`edgevit.run.child_process.Child`."""

    def __init__(self, server: ForkServer, number: int, question: int, answer: int, status: int) -> None:
        self.stdin: IO[str] | None = os.fdopen(question, "w", encoding="utf-8")
        self.stdout: IO[str] | None = os.fdopen(answer, encoding="utf-8", errors="replace")
        self._server = server
        self._number = number
        self._status = status
        self._code: int | None = None
        self._lock = threading.Lock()

    def kill(self) -> None:
        """Ends the child at once; does nothing where it has ended."""
        if self._code is None:
            self._server.kill(self._number)

    def wait(self) -> int:
        """Waits until the child has ended and returns its exit code, that of a signal negative."""
        with self._lock:
            if self._code is None:
                told = os.read(self._status, _STATUS.size)
                os.close(self._status)
                self._code = _STATUS.unpack(told)[0] if told else self._server.wait()
                for stream in (self.stdin, self.stdout):
                    if stream is not None:
                        with contextlib.suppress(BrokenPipeError):
                            stream.close()
            return self._code


class ForkServers:
    """A server for each set of modules that tasks want imported; may be used by several threads at once."""

    def __init__(self, log: Path) -> None:
        """Starts none yet.

        Args:
            log: Gets what servers print while they import.
        """
        self._log = log
        self._lock = threading.Lock()
        self._servers: dict[tuple[str, ...], ForkServer] = {}

    def server(self, modules: tuple[str, ...]) -> ForkServer:
        """Returns the server that has imported some modules, or is about to; one that has ended is replaced."""
        with self._lock:
            if modules not in self._servers or self._servers[modules].has_ended:
                self._servers[modules] = ForkServer(modules, self._log)
            return self._servers[modules]

    def fork(self, modules: tuple[str, ...], log: IO[bytes]) -> ForkedChild:
        """Starts a child of a server.

        Args:
            modules: That it has imported.
            log: Gets what the child prints.
        """
        server = self.server(modules)
        try:
            return server.fork(log)
        except OSError:
            server.close()  # one whose socket is closed is about to end
            return self.server(modules).fork(log)  # it was killed between the look and the fork

    def close(self) -> None:
        """Ends all servers and their children."""
        with self._lock:
            for server in self._servers.values():
                server.close()


def serve_forks(number: int, parent: int, modules: list[str]) -> None:
    """Imports modules, then forks children as asked, until the parent has ended.

    Args:
        number: File descriptor of the socket to the parent.
        parent: Process id of the parent.
        modules: To import.

    Raises:
        RuntimeError: a module has started a thread, so that forking would not be safe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process in its own time
    with _ended_with(parent):
        for module in modules:
            with contextlib.suppress(ImportError):  # the child that needs it says so, by name
                importlib.import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads after importing {', '.join(modules)}")
    gc.collect()
    gc.freeze()  # what is imported stays shared with the children
    _Server(socket.socket(fileno=number)).run()


@contextlib.contextmanager
def _ended_with(parent: int) -> Iterator[None]:
    """Ends this process soon after its parent, also while it imports and reads no socket.

    The kernel's own way is bound to the thread of the parent that started this process, which may end before.
    """

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(ExitCode.INTERRUPTED)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY_S, _LOOK_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


class _Server:
    """The loop of a server process."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._running: dict[int, tuple[int, int]] = {}
        """Number of the child and the pipe that gets its exit code, by process id."""
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self._parent.fileno(), self._wake_out], [], [])
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
                self._reap()
            if self._parent.fileno() in ready:
                message, ends, _, _ = socket.recv_fds(self._parent, _MESSAGE.size, 4)
                if not message:
                    os._exit(0)
                what, number = _MESSAGE.unpack(message)
                if what == _FORK:
                    self._fork(number, ends)
                else:
                    self._kill(number)

    def _fork(self, number: int, ends: list[int]) -> None:
        question, answer, log, status = ends
        server = os.getpid()
        process = os.fork()
        if process == 0:
            self._become_child(server, question, answer, log, status)
        for end in (question, answer, log):
            os.close(end)
        self._running[process] = (number, status)

    def _become_child(self, server: int, question: int, answer: int, log: int, status: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for own, given in enumerate((question, answer, log)):
                os.dup2(given, own)
            for end in (question, answer, log, status, *self._open_ends()):
                os.close(end)
            serve(server)
        finally:
            os._exit(1)

    def _open_ends(self) -> list[int]:
        pipes = [status for _, status in self._running.values()]
        return [self._parent.fileno(), self._wake_out, self._wake_in, *pipes]

    def _kill(self, number: int) -> None:
        for process, (running, _) in self._running.items():
            if running == number:
                os.kill(process, signal.SIGKILL)

    def _reap(self) -> None:
        while self._running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            _, pipe = self._running.pop(process)
            with contextlib.suppress(BrokenPipeError):
                os.write(pipe, _STATUS.pack(os.waitstatus_to_exitcode(status)))
            os.close(pipe)
