"""One of two artifacts that are compared: of a run, or a file by itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from edgevit.artifacts.usage import candidate_of_file
from edgevit.backends import all_backends, backend_of_file
from edgevit.errors import UsageError
from edgevit.results.artifact import Artifact
from edgevit.results.candidate import Candidate
from edgevit.results.changes import ComparedArtifact
from edgevit.results.measurement import Host
from edgevit.results.ranking import find_candidate
from edgevit.results.run import Run, load_run
from edgevit.run.files import leaves_folder


class PartRefused(Exception):
    """A part cannot be compared, for the reason given; the others can."""


@dataclass(frozen=True)
class Side:
    """One of the two artifacts."""

    given: str
    run: Run | None
    candidate: Candidate | None
    """Of ``run``."""
    file: Path | None
    """None where it is not there."""

    @property
    def artifact(self) -> Artifact | None:
        """What the run knows of the file."""
        return self.candidate.artifact if self.candidate else None

    @property
    def model(self) -> str | None:
        """Name of the model that its run compressed; None of a file of no run."""
        return str(self.run.spec.get("model", {}).get("name", "unknown")) if self.run else None

    @property
    def source(self) -> str:
        """Of the images that its run judged it on."""
        if self.run and self.run.evaluation:
            return self.run.evaluation.source
        data = self.run.spec.get("data") if self.run else None
        return str(data.get("evaluation")) if isinstance(data, dict) else "unknown images"

    @property
    def compared(self) -> ComparedArtifact:
        """What it is called in the result."""
        return ComparedArtifact(
            given=self.given,
            run=str(self.run.folder) if self.run else None,
            candidate=self.candidate.id if self.candidate else None,
            file=str(self.file) if self.file else None,
            model=self.model,
        )


def open_side(given: Path, candidate: str | None) -> Side:
    """Opens a run, or an artifact file with what its run knows of it.

    Args:
        given: A run folder, its ``run.json``, or an artifact file.
        candidate: Of a run, by rank or id; the chosen one when None.

    Raises:
        UsageError: it is neither, or has no such candidate.
    """
    if given.suffix.lower() in {backend.suffix for backend in all_backends()} and not given.is_dir():
        if candidate is not None:
            raise UsageError(
                f"a candidate is named, and {given} is a file, not a run", "leave out --candidate and --other"
            )
        backend_of_file(given)
        found = candidate_of_file(given)
        return Side(str(given), found.run if found else None, found.candidate if found else None, given)
    run = load_run(given)
    if candidate is None and run.chosen is None:
        raise UsageError(f"the run in {given} chose nothing", "name a candidate by its rank or id: --candidate 1")
    chosen = run.chosen if candidate is None else find_candidate(run.candidates, candidate)
    assert chosen is not None
    if chosen.artifact is None:
        raise UsageError(f"{chosen.id} of {given} has no artifact: it {chosen.status}", "name another --candidate")
    assert run.folder is not None  # it was loaded
    inside = not leaves_folder(chosen.artifact.path)
    file = run.folder / chosen.artifact.path
    return Side(str(given), run, chosen, file if inside and file.is_file() else None)


def host_differences(before: Run, after: Run) -> tuple[str, ...]:
    """Returns in what the hosts of two runs differ that latency depends on: "threads 1 and 4"."""
    one, other = before.host, after.host
    return tuple(
        f"{field.name} {_plain(getattr(one, field.name))} and {_plain(getattr(other, field.name))}"
        for field in fields(Host)
        if field.name != "python" and getattr(one, field.name) != getattr(other, field.name)
    )


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
