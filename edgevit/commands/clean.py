"""Removes what ended runs no longer need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.run.leftovers import folder_size, remove_leftovers
from edgevit.run.lock import locked


@dataclass(frozen=True)
class CleanedRun:
    """A run folder after it was cleaned."""

    path: Path
    freed_bytes: int
    left_bytes: int


def clean_runs(folders: Sequence[Path]) -> tuple[CleanedRun, ...]:
    """Removes ``work`` and other leftovers of ended runs; all are checked before anything is removed.

    Args:
        folders: Run folders.

    Raises:
        UsageError: one is not a run folder, or its run has not ended, or a process writes to it.
    """
    with ExitStack() as stack:
        for folder in dict.fromkeys(folder.resolve() for folder in folders):
            _check_run(folder)
            _check_ended(folder)  # before a lock is made in it, and again below, when nobody else writes
            stack.enter_context(locked(folder))
            _check_ended(folder)
        return tuple(
            CleanedRun(folder, remove_leftovers(folder), folder_size(folder)) for folder in dict.fromkeys(folders)
        )


def _check_run(folder: Path) -> None:
    try:
        begin = json.loads((folder / "begin.json").read_bytes())
    except (OSError, ValueError):
        begin = None
    if not isinstance(begin, dict) or "spec_sha256" not in begin:
        raise UsageError(f"{folder} is not a run folder", "name the --out of a run")


def _check_ended(folder: Path) -> None:
    if not (folder / "run.json").is_file():
        raise UsageError(
            f"the run in {folder} has not ended, and needs its files to go on",
            "continue it with --resume, or remove the whole folder",
        )
