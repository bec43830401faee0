"""How a long job tells what it is doing and what is left, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what a run does; edgevit.cli.terminal shows it to people."""

    def stage(self, name: str, done: int, total: int) -> None:
        """A stage reached step ``done`` of ``total``; the first call of a name begins it."""

    def message(self, text: str) -> None:
        """Something worth a line: a result, a rejected candidate."""


class Silent:
    """Progress that nobody listens to; the default of the Python API."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Does nothing."""

    def message(self, text: str) -> None:
        """Does nothing."""
