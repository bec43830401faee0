"""What ``edgevit eval`` finds out about a file."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.results.candidate import Accuracy, OutputDifference
from edgevit.results.measurement import Host
from edgevit.results.shift import ShiftRecord


@dataclass(frozen=True)
class SavedOutputs:
    """The outputs for each image, in a file."""

    path: str
    """As the user gave it."""
    sha256: str


@dataclass(frozen=True)
class ComputedOn:
    """Another machine that ran a file over the images; they were preprocessed, and its outputs scored, on this one."""

    device: str
    """Name of the board."""
    host: Host
    emulated: str
    """Why it is known to be emulated; "" if nothing says so. An emulator computes what the processor would, only slower."""


@dataclass(frozen=True)
class FileScore:
    """Accuracy of a file on images, and what has to be known to read it."""

    accuracy: Accuracy
    classes: dict[str, int]
    """Output of each class that the source of the images names, such as by a class folder; empty where it has labels
    alone."""
    notes: tuple[str, ...] = ()
    """What of the images was left out, and reasons to doubt the accuracy."""
    stopped: str | None = None
    """Why not all images were scored; None where they were."""
    outputs: tuple[OutputDifference, ...] = ()
    """Each output beside that of another file; empty where accuracy was taken on labels."""
    shift: ShiftRecord | None = None
    """What it loses against its float parent on corrupted and on further images, where that is asked for."""
    saved_outputs: SavedOutputs | None = None
    """Where the outputs for each image are, where that is asked for and all images were run."""
    computed_on: ComputedOn | None = None
    """Where the file was run; None for this machine."""
