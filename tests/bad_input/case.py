"""A case of the corpus: one command line with its files, and how it has to end."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[Path], None]
"""Of a file: its text, its bytes, or what makes it (a folder, a link, a FIFO)."""


@dataclass(frozen=True)
class Case:
    """A command line, the files it finds, and how it has to end."""

    command: str
    """As in a shell, without ``edgevit``."""
    words: tuple[str, ...]
    """All of them have to appear in what it prints, whatever their case."""
    files: Mapping[str, Content] = field(default_factory=dict)
    """By path in the current folder."""
    exit: int = 2
    makes: tuple[str, ...] = ()
    """Patterns of the files and folders that it may leave."""
    slow: bool = False
    """Whether it takes long, as it starts a runtime or captures a model."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """The command line as a list."""
        return shlex.split(self.command)

    def write_files(self, folder: Path) -> None:
        """Makes the files below ``folder``."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                content(path)


def case(command: str, *words: str, files: Mapping[str, Content] | None = None, exit: int = 2) -> Case:
    """A quick case that leaves nothing."""
    return Case(command, words, files or {}, exit)


def slow_case(command: str, *words: str, files: Mapping[str, Content] | None = None, exit: int = 2) -> Case:
    """A case that starts a runtime or captures a model, and leaves nothing."""
    return Case(command, words, files or {}, exit, slow=True)


def folder(path: Path) -> None:
    """Makes an empty folder."""
    path.mkdir()


def fifo(path: Path) -> None:
    """Makes a FIFO that nobody writes to."""
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], None]:
    """Returns what makes a link to ``target``."""
    return lambda path: path.symlink_to(target)
