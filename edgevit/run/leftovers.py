"""What an ended run no longer needs, and how large a folder is. Links are never followed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgevit.run.files import remove_temporaries


def folder_size(folder: Path) -> int:
    """Returns the bytes of all files in a folder, each counted once however many names it has."""
    found = {(status.st_dev, status.st_ino): status.st_size for status in _files(folder)}
    return sum(found.values())


def remove_leftovers(folder: Path) -> int:
    """Removes ``work`` and half-written files of a run folder that no process writes to.

    Args:
        folder: The run folder.

    Returns:
        How many bytes smaller the folder is.
    """
    before = folder_size(folder)
    remove_temporaries(folder)
    work = folder / "work"
    if work.is_symlink():
        work.unlink()
    elif work.is_dir():
        shutil.rmtree(work)
    return before - folder_size(folder)


def _files(folder: Path) -> Iterator[os.stat_result]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False)
