"""Progress of a long job: what it is doing and what is left. The callback's interface, and one that does nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what a run does; :mod:`edgevit.cli.terminal` has those that print it."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Receives that a stage reached step ``done`` of ``total``; the first call of a name begins it."""

    def message(self, text: str) -> None:
        """Receives a line of text, such as a result or a rejected candidate."""


class Silent:
    """Progress callback that does nothing; the default of the Python API."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Does nothing."""

    def message(self, text: str) -> None:
        """Does nothing."""
