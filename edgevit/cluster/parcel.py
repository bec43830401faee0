"""Tasks as they travel to another machine: text, and files by their contents; no path of either machine is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from edgevit.run.task import Task
from edgevit.store.record import Blob, Record

RUN = "$RUN"
"""Stands for the run folder in the values of a parcel and in a record."""
_OUTSIDE = "inputs"
"""Folder of a worker's task for files that lie outside the run folder."""
FailureKind: TypeAlias = Literal["usage", "failed", "killed", "disk full", "missing inputs", "cancelled"]


@dataclass(frozen=True)
class Parcel:
    """One task, or several that load side by side and are timed one after the other."""

    key: str
    """Of the record."""
    targets: tuple[str, ...]
    """Functions, as "module:name"."""
    questions: tuple[str, ...]
    """As :attr:`edgevit.run.task.Task.question`, with :data:`RUN` for the run folder."""
    preload: tuple[str, ...]
    inputs: dict[str, Blob]
    """By path in the run folder."""
    log: str
    """Likewise."""
    in_turn: bool
    timeout_seconds: float
    threads: dict[str, str]
    """Thread variables of the machine that asks, see :func:`edgevit.run.child_process.child_environment`."""
    store: str
    """URL."""
    owner: str
    """See :class:`edgevit.cluster.machine.Holding`."""
    board: str
    """Likewise."""


@dataclass(frozen=True)
class Outcome:
    """What came of a parcel: a record, or why there is none."""

    record: Record | None
    machine: str
    """Name of that which carried it out."""
    failure: FailureKind | None = None
    message: str = ""
    hint: str | None = None
    printed: str = ""
    """The end of what the process printed."""


def write_question(task: Task[Any, Any], root: Path) -> str:
    """Returns the question of a task with :data:`RUN` for the run folder, and for its inputs elsewhere a path in it.

    Args:
        task: Whose.
        root: The run folder.
    """
    document = json.loads(task.question)
    moved = {str(path): f"{RUN}/{place_of(path, root)}" for path in task.inputs if not path.is_relative_to(root)}
    return json.dumps({**document, "value": moved_paths(document["value"], str(root), RUN, moved)})


def place_of(path: Path, root: Path) -> str:
    """Returns where in a task's folder an input lies, relative to it, with "/"."""
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return "/".join((_OUTSIDE, *path.absolute().parts[1:]))


def moved_paths(document: Any, old: str, new: str, exactly: Mapping[str, str] | None = None) -> Any:
    """Returns plain JSON values with every path of a folder moved to another.

    Args:
        document: Values; strings in them that are the folder, or begin with it, are paths.
        old: The folder.
        new: Where it is then.
        exactly: Further strings, and what stands in place of each.
    """
    if isinstance(document, str):
        if exactly and document in exactly:
            return exactly[document]
        return new + document[len(old) :] if document == old or document.startswith(f"{old}/") else document
    if isinstance(document, list):
        return [moved_paths(each, old, new, exactly) for each in document]
    if isinstance(document, dict):
        return {
            moved_paths(key, old, new, exactly): moved_paths(value, old, new, exactly)
            for key, value in document.items()
        }
    return document


def moved_text(text: str, old: str, new: str) -> str:
    """Returns a sentence with every path of a folder moved to another."""
    return re.sub(rf"(?<![\w./-]){re.escape(old)}(?=/|\W|$)", lambda _: new, text)


def written_answers(answers: Sequence[Any], root: Path) -> str:
    """Returns answers as a record keeps them.

    Args:
        answers: Plain JSON values.
        root: The run folder that paths in them lie in.
    """
    return json.dumps(moved_paths(list(answers), str(root), RUN))


def read_answers(text: str, root: Path) -> list[Any]:
    """Returns answers of a record as plain JSON values, with the paths of a run folder; see :func:`written_answers`."""
    answers: list[Any] = moved_paths(json.loads(text), RUN, str(root))
    return answers


def digests(paths: Sequence[Path], root: Path, blob_of: Callable[[Path], Blob]) -> dict[str, Blob]:
    """Returns files by their path in a run folder, as far as they are there.

    Args:
        paths: Files.
        root: The run folder.
        blob_of: Returns what a file is.
    """
    return {place_of(path, root): blob_of(path) for path in dict.fromkeys(paths) if path.is_file()}
