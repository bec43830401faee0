"""A task: a call that any process can carry out, named by what it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from edgevit.results.document import to_document

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BoardUse:
    """A board, and how long to wait while others use it."""

    address: str
    wait_seconds: float


@dataclass(frozen=True)
class Task(Generic[Argument, Answer]):
    """A call for another process: plain values and files in, plain values and files out."""

    function: Callable[[Argument], Answer]
    """At module level."""
    argument: Argument
    """A frozen dataclass."""
    answer: type[Answer]
    """What the function returns, a frozen dataclass."""
    files: Callable[[Answer], Iterable[Path]] = lambda answer: ()
    """Files that the function writes, by its answer."""
    inputs: tuple[Path, ...] = ()
    """Files that the function reads, as far as they were written in the same run."""
    preload: tuple[str, ...] = ()
    """Modules that its process may have imported before; none for a process that starts cold."""
    timing: bool = False
    """Whether it times something, so that nothing else may run meanwhile."""
    here: bool = False
    """Whether it reads what only this machine has and ``inputs`` do not name, such as images of the user's."""
    board: BoardUse | None = None
    """That it uses, which one machine of a cluster has."""
    by_isa: bool = False
    """Whether its answer depends on the instruction sets of the processor, as the logits of int8 do."""

    @property
    def target(self) -> str:
        """The function as "module:name"."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def name(self) -> str:
        """What people are told that it is."""
        return self.function.__name__.replace("_", " ")

    @property
    def question(self) -> str:
        """The function, the class of the argument and its values, as JSON."""
        kind = type(self.argument)
        return json.dumps(
            {
                "function": self.target,
                "type": f"{kind.__module__}:{kind.__qualname__}",
                "value": to_document(self.argument),
            }
        )

    def key(self, root: Path, digest: Callable[[Path], str]) -> str:
        """Returns a name for the task: two that have the same give the same answer.

        Args:
            root: Folder of the run; paths in it count by their place in it.
            digest: Returns the sha256 of a file, in hexadecimal.

        Returns:
            sha256, in hexadecimal, of the question and the contents of ``inputs``.
        """
        question = self.question.replace(_inside_json(root), "")
        inputs = {str(path.relative_to(root) if path.is_relative_to(root) else path): path for path in self.inputs}
        document: dict[str, Any] = {
            "question": question,
            "inputs": {name: digest(path) if path.is_file() else None for name, path in sorted(inputs.items())},
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class WrittenTask(Generic[Answer]):
    """A task whose question is written already, for a process that has not imported its function."""

    target: str
    """See :attr:`Task.target`."""
    question: str
    """See :attr:`Task.question`."""
    answer: type[Answer]
    """``object`` for an answer that stays plain values."""
    preload: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people are told that it is."""
        return self.target.rpartition(":")[2].replace("_", " ")


AnyTask: TypeAlias = Task[Any, Answer] | WrittenTask[Answer]
"""What a process can be asked."""


def _inside_json(path: Path) -> str:
    """A path as it begins within a JSON string."""
    return json.dumps(str(path))[1:-1]
