"""The board's folder of files, each kept under its sha256, so that none is sent twice; runs on the board.

``files/<sha256>`` holds what was sent, ``artifacts/<key>/`` the same files under their names. A file that is not whole yet is
called ``<sha256>.<pid>.part``; it is renamed once its digest is right.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SCRATCH = "scratch"
"""Folder, within the board's, for files of one task, which removes them."""
_FILES, _ARTIFACTS, _PART = "files", "artifacts", ".part"
_CHUNK = 1 << 20


class Incomplete(Exception):
    """The connection ended before a file was whole, or what came is not what was announced."""


@dataclass(frozen=True)
class SentFile:
    """One file of an artifact."""

    name: str
    """Relative to the main file's folder, with "/"."""
    sha256: str
    size_bytes: int


def missing(folder: Path, files: tuple[SentFile, ...]) -> tuple[SentFile, ...]:
    """Returns the files that are not there, each once."""
    unique = {each.sha256: each for each in files}
    return tuple(each for each in unique.values() if not (folder / _FILES / each.sha256).is_file())


def receive(folder: Path, file: SentFile, stream: IO[bytes]) -> None:
    """Writes a file from a stream.

    Args:
        folder: The board's folder of edgevit; exists.
        file: What comes.
        stream: Has at least its bytes.

    Raises:
        Incomplete: the stream ended early, or the digest is another one.
        OSError: there is no space left, among others; nothing of the file stays.
    """
    place = folder / _FILES / file.sha256
    place.parent.mkdir(exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}{_PART}")
    digest, left = hashlib.sha256(), file.size_bytes
    try:
        with part.open("wb") as target:
            while left:
                chunk = stream.read(min(left, _CHUNK))
                if not chunk:
                    raise Incomplete(f"{file.name} ended {left} bytes too early")
                target.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != file.sha256:
            raise Incomplete(f"{file.name} arrived with another sha256")
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def lay_out(folder: Path, key: str, files: tuple[SentFile, ...]) -> Path:
    """Gives the files of an artifact their names, in a folder of their own.

    Args:
        folder: The board's folder of edgevit.
        key: Of the artifact, different for other names or contents.
        files: All of them are there.

    Returns:
        The folder.
    """
    place = folder / _ARTIFACTS / key
    for each in files:
        named = place / each.name
        named.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(folder / _FILES / each.sha256, named)
    return place


def remove_leftovers(folder: Path) -> None:
    """Removes what processes that are gone have left half-written or in their scratch folder; only for who holds the lock."""
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    for part in (*folder.glob(f"*{_PART}"), *folder.glob(f"{_FILES}/*{_PART}")):
        pid = part.name.removesuffix(_PART).rpartition(".")[2]
        if pid.isdigit() and not _is_there(int(pid)):
            part.unlink(missing_ok=True)


def size_bytes(folder: Path) -> int:
    """Returns the bytes of all files in the folder; one that has two names counts once."""
    found: dict[int, int] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if not path.is_dir():
                found[status.st_ino] = status.st_size
    return sum(found.values())


def free_bytes(folder: Path) -> int:
    """Returns the bytes that this user may still write there."""
    return shutil.disk_usage(folder).free


def remove(folder: Path) -> int:
    """Removes the folder; returns the bytes that were in it."""
    size = size_bytes(folder)
    gone = folder.with_name(f"{folder.name}.removed-{os.getpid()}")
    folder.rename(gone)
    shutil.rmtree(gone)
    return size


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
