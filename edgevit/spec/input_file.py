"""Files that users name: whether one is there, what it is otherwise, and which name is near."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from edgevit.errors import UsageError, closest

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def expand_user(text: str | Path) -> Path:
    """Returns a path with ``~`` or ``~name`` at its beginning replaced by that home folder, if there is one."""
    path = Path(text)
    with contextlib.suppress(RuntimeError):
        return path.expanduser()
    return path


def require_file(path: Path, what: str = "file", hint: str | None = None) -> Path:
    """Returns the path of a regular file that may be read; links are followed.

    Args:
        path: As the user gave it.
        what: Name of such a file, for the message: "weights file".
        hint: Next step where no name in its folder is near.

    Raises:
        UsageError: it is missing, may not be read, or is no regular file; the message says what it is.
    """
    problem = file_problem(path)
    if problem is None:
        return path
    if problem != MISSING:
        raise UsageError(f"{path} is no {what}: {problem}", hint or f"give a regular {what} that may be read")
    near = near_files(path)
    known = f"did you mean {' or '.join(near)}?" if near else hint or f"give the path of an existing {what}"
    raise UsageError(f"no such {what}: {path}{_missing_folder(path)}", known)


MISSING = "it does not exist"
"""What :func:`file_problem` says of a path where there is nothing."""


def file_problem(path: Path) -> str | None:
    """Returns why a path is not a regular file that may be read, in words for people; None for one."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return _stat_problem(path, error)
    for test, kind in _KINDS:
        if test(mode):
            return f"it is {kind}"
    return None if os.access(path, os.R_OK) else "it may not be read (permission denied)"


def _stat_problem(path: Path, error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return "no file has such a name"
    if error.errno == errno.ELOOP:
        return "it is a link that leads back to itself"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if path.is_symlink():
            return f"it is a link to {path.readlink()}, which does not exist"
        return MISSING
    if error.errno == errno.EACCES:
        return "its folder may not be searched (permission denied)"
    return (error.strerror or str(error)).lower()


def near_files(path: Path) -> list[str]:
    """Returns the paths beside one that is missing whose names are near to its own, nearest first."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return []
    return [str(path.parent / name) for name in closest(path.name, names)]


def _missing_folder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        if not path.parent.is_dir():
            return f" (there is no folder {path.parent})"
    return ""
