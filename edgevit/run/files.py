"""Files: written whole or not at all, never through a link, told apart by their contents, and where they go."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from edgevit.errors import DiskFull, UsageError

TEMPORARY = ".edgevit-*.tmp"
"""Matches the names under which files are written before they are renamed; a killed process leaves them."""
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags of every file that is written; Windows has the last alone, without which it writes two characters for a new line."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Gives a stream whose file appears under its name, whole, when the block has ended without an error.

    A link of that name is replaced, not followed; the file has a name that nobody could know before.

    Args:
        path: Of the file; its folder is made.

    Raises:
        DiskFull: there is no space left.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o666)
        try:
            with os.fdopen(number, "wb") as stream:
                yield stream
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it is either whole or not there, even after a power cut.

    Raises:
        DiskFull: there is no space left.
    """
    with whole_file(path) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def open_to_append(path: Path) -> IO[bytes]:
    """Opens a file to append to, without a buffer; its folder is made.

    Raises:
        UsageError: its name is a link, which might lead to anybody's file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(open_no_link(path, os.O_WRONLY | os.O_APPEND), "ab", buffering=0)


def open_no_link(path: Path, flags: int) -> int:
    """Opens a file, made if it is missing, and returns its descriptor; nothing of it is cut off.

    Args:
        path: Of the file.
        flags: ``os.O_RDWR`` or ``os.O_WRONLY``, perhaps with ``os.O_APPEND``.

    Raises:
        UsageError: its name is a link, which might lead to anybody's file.
    """
    try:
        return os.open(path, flags | os.O_CREAT | _NO_FOLLOW, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise UsageError(f"{path} is a link, and edgevit writes through none", "remove the link") from error
        raise


@contextmanager
def disk_errors(place: Path, hint: str = "free some space, then run the same command again") -> Iterator[None]:
    """Turns the system's error for a full disk into one that names the file and the disk.

    Args:
        place: The file or folder that is written.
        hint: What to do.

    Raises:
        DiskFull: there is no space left.
    """
    try:
        yield
    except DiskFull as error:
        raise DiskFull(error.message, hint) from error
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise disk_full(place, hint) from error
        raise


def disk_full(place: Path, hint: str) -> DiskFull:
    """Returns the error for a disk without space.

    Args:
        place: The file or folder that could not be written.
        hint: What to do.
    """
    return DiskFull(f"cannot write {place}: the disk of {_mount_point(place)} is full", hint)


def is_full_disk(error: BaseException) -> bool:
    """Returns whether an error is the system's for a full disk, a used-up quota or the largest size of a file."""
    return isinstance(error, OSError) and error.errno in _FULL_DISK


def _mount_point(place: Path) -> Path:
    """The folder that the disk of a file is mounted at."""
    with suppress(OSError):
        return next(folder for folder in (place, *place.absolute().parents) if folder.is_mount())
    return place.parent


def remove_temporaries(folder: Path) -> None:
    """Removes what a killed process left half-written anywhere in a folder, which nobody else writes to."""
    for left in tuple(folder.rglob(TEMPORARY)):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def file_sha256(*paths: Path) -> str:
    """Returns the sha256 digest, in hexadecimal, of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def out_folder(given: Path | None, model: str, command: str = "") -> Iterator[Path]:
    """Gives the folder for results: the one given, or a new one, ``runs/<model>-<command>-<local time>``.

    A new one is made at once, so that two processes never want the same; it goes again where the block ends with an
    error and nothing was written.

    Args:
        given: By the user; None where nothing is.
        model: As the user named it: "digits_vit", "hf-hub:owner/name", "package.module:factory".
        command: Left out of the name where it is compress or export.
    """
    if given is not None:
        yield given
        return
    folder, made_parent = _make_folder(_default_name(model, command))
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if made_parent:
                folder.parent.rmdir()
        raise


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Makes a folder, unless it is there; it goes again where the block ends with an error and nothing was written.

    Raises:
        OSError: it cannot be made.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


_LONGEST_NAME = 100
"""Characters of a model's name in that of a folder, which may have 255."""


def _default_name(model: str, command: str) -> str:
    short = model.rpartition(":")[2].replace("/", "-")[:_LONGEST_NAME]
    parts = (short, command, f"{datetime.now():%Y%m%d-%H%M%S}")
    return "-".join(filter(None, parts))


def _make_folder(name: str) -> tuple[Path, bool]:
    """Makes ``runs/<name>``, with a number where that is taken; returns it, and whether ``runs`` was made too."""
    parent = Path("runs").resolve()
    made_parent = not parent.exists()
    parent.mkdir(exist_ok=True)
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder, made_parent
    raise UsageError(f"{parent} holds a thousand folders {name}", "give --out DIR")


def leaves_folder(name: str) -> bool:
    """Returns whether a path, written for any system, does not stay within the folder that it is relative to."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or windows.is_absolute() or ".." in (*posix.parts, *windows.parts)
