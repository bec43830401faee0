"""A board that is this machine: an sshd on loopback with a home folder, host key and user key of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_SSHD_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PidFile none
SetEnv HOME={home} XDG_CACHE_HOME= {environment}
"""
_SSH_CONFIG = """
Host board
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
"""
PYTHON = sys.executable
"""Of the board: it has what this one has."""


@dataclass(frozen=True)
class Loopback:
    """The board; ``board`` in its ``ssh_config``, which the ``ssh`` in ``bin`` reads."""

    folder: Path
    port: int
    server: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        """Home folder of the user there."""
        return self.folder / "home"

    @property
    def cache(self) -> Path:
        """What edgevit keeps there."""
        return self.home / ".cache" / "edgevit" / "board"

    @property
    def path(self) -> str:
        """For ``PATH``: the folder with its ``ssh`` comes first."""
        return os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])

    def files(self) -> set[str]:
        """What lies in the cache folder, but for the runner and its lock's guard."""
        found = {path.relative_to(self.cache).as_posix() for path in self.cache.rglob("*") if path.is_file()}
        return {each for each in found if not each.startswith("runner-") and each != "lock.guard"}

    def processes(self) -> dict[int, str]:
        """Command lines of the programs of edgevit that run there, by their process ids."""
        found = {}
        for each in Path("/proc").glob("[0-9]*"):
            try:
                command = (each / "cmdline").read_bytes().split(b"\0")
                is_there = f"HOME={self.home}".encode() in (each / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if is_there and b"-u" in command:
                found[int(each.name)] = b" ".join(command).decode(errors="replace")
        return found

    def worker(self) -> int | None:
        """Process id of the child that carries out a task there; None where none does."""
        found = {pid for pid, command in self.processes().items() if " task " in command}
        for pid in found:
            with suppress(OSError):
                if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) in found:
                    return pid
        return None

    def is_quiet(self, seconds: float = 10.0) -> bool:
        """Whether no process of the runner is left, and no lock, after at most so many seconds."""
        end = time.monotonic() + seconds
        while (self.processes() or (self.cache / "lock").exists()) and time.monotonic() < end:
            time.sleep(0.05)
        return not self.processes() and not (self.cache / "lock").exists()

    def python(self, before: str) -> str:
        """Writes a program that does something and then runs Python; returns its path, for ``--python``.

        Args:
            before: Lines of a shell.
        """
        program = self.home / "python-of-test"
        program.write_text(f'#!/bin/sh\n{before}\nexec {PYTHON} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        return str(program)


@contextmanager
def loopback_board(folder: Path, environment: str = "") -> Iterator[Loopback]:
    """Starts an sshd on loopback; skips the test where there is none.

    Args:
        folder: Empty; gets all of it.
        environment: Of the sessions, as in ``SetEnv`` of ``sshd_config``.
    """
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    ssh = shutil.which("ssh")
    if sshd is None or ssh is None:
        pytest.skip("needs OpenSSH: apt install openssh-server openssh-client")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it, and a package's service makes it
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "home").mkdir()
    (folder / "bin").mkdir()
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    host_key = (folder / "host_key.pub").read_text(encoding="ascii")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}", encoding="ascii")
    settings = {"port": port, "folder": folder, "home": folder / "home", "environment": environment}
    (folder / "sshd_config").write_text(_SSHD_CONFIG.format(**settings), encoding="ascii")
    (folder / "ssh_config").write_text(_SSH_CONFIG.format(**settings), encoding="ascii")
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n', encoding="ascii")
    wrapper.chmod(0o755)
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        _wait_for(port, server)
        yield Loopback(folder, port, server)
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.skip("sshd does not start for this user; see sshd.log")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError("sshd does not listen")
