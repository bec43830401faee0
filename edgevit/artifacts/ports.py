"""What a file takes and gives, as its runtime says once it is loaded; runs on a host and on a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.artifacts.feed import check_takes_image
from edgevit.artifacts.outputs import outputs_of_file
from edgevit.backends import get_backend
from edgevit.results.artifact import TensorSpec
from edgevit.results.output import Output


@dataclass(frozen=True)
class ReadPortsJob:
    """A file to open."""

    backend: str
    artifact: Path
    threads: int
    precision: str


@dataclass(frozen=True)
class Ports:
    """What a file takes and gives, and how its runtime runs it."""

    inputs: tuple[TensorSpec, ...]
    """One, an image."""
    outputs: tuple[TensorSpec, ...]
    runtime_version: str
    delegate: str
    precision: str
    threads: int

    @property
    def input(self) -> TensorSpec:
        """The image."""
        return self.inputs[0]

    @property
    def named(self) -> tuple[Output, ...]:
        """The outputs, by the names that the file has for them."""
        return outputs_of_file(self.outputs)


def read_ports(job: ReadPortsJob) -> Ports:
    """Opens a file and returns what it takes and gives.

    Raises:
        UsageError: it cannot be loaded, or does not take single images.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_takes_image(session)
    return Ports(
        inputs=session.inputs,
        outputs=session.outputs,
        runtime_version=session.runtime_version,
        delegate=session.delegate,
        precision=session.precision,
        threads=session.threads,
    )
