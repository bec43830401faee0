"""What a store keeps of a task that was carried out, and of a run that used it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Blob:
    """A file by its contents."""

    sha256: str
    """In hexadecimal."""
    size_bytes: int


@dataclass(frozen=True)
class Record:
    """The answer of a task, under the key that names all that it depends on."""

    key: str
    target: str
    """The function, as "module:name"."""
    answer: str
    """As JSON, for it may hold NaN."""
    files: dict[str, Blob]
    """That the task wrote, by their path in the run folder, with "/"."""
    inputs: dict[str, Blob]
    """That it read, likewise."""
    machine: str
    """Name of the machine that carried it out."""
    seconds: float
    """That it took."""
    created_at: str
    """UTC, ISO 8601."""
    printed: str = ""
    """The end of what its process printed."""


@dataclass(frozen=True)
class Failure:
    """Why a task of a run has no answer; it is not tried again in that run."""

    message: str
    hint: str | None


@dataclass(frozen=True)
class StoredRun:
    """A run that uses a store."""

    id: str
    name: str
    """For people: its folder, and where that is."""
    created_at: str
    """UTC, ISO 8601."""
