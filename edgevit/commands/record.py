"""Stores what is found out about a file in the ``run.json`` of the run that made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgevit.artifacts.usage import RecordedFile, candidate_of_file
from edgevit.errors import UsageError
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Measurement
from edgevit.results.run import load_run, run_to_json
from edgevit.run.files import disk_errors, write_atomically
from edgevit.run.lock import locked


def check_recordable(artifact: Path) -> None:
    """Checks that what is found out about a file can be stored in its run.

    Raises:
        UsageError: the file lies in no run, or is not as the run made it.
    """
    _recordable(artifact)


def record(artifact: Path, change: Callable[[Candidate], Candidate]) -> Path:
    """Changes what a run knows of a file.

    Args:
        artifact: The file.
        change: Returns the candidate as it is to be.

    Returns:
        The ``run.json``.

    Raises:
        UsageError: the file is not of a run, or another process writes to its folder.
        DiskFull: there is no space left; the ``run.json`` is as it was.
    """
    found = _recordable(artifact)
    with locked(found.folder):
        run = load_run(found.folder)
        candidates = tuple(change(each) if each.id == found.candidate.id else each for each in run.candidates)
        file = found.folder / "run.json"
        with disk_errors(file):
            write_atomically(file, run_to_json(replace(run, candidates=candidates)))
    return file


def record_measurement(artifact: Path, measurement: Measurement) -> Path:
    """Stores a measurement from elsewhere, in place of an earlier one of that device.

    Args:
        artifact: The file that was measured.
        measurement: On a board or a phone, whose name budgets have it by.

    Returns:
        The ``run.json``.

    Raises:
        UsageError: as :func:`record`; or the device has the name that is kept for the run's own machine.
    """
    if measurement.device == HOST:
        raise UsageError(
            f'--record: "{HOST}" is the name of the machine that the run was made on', "give the board another name"
        )

    def with_measurement(candidate: Candidate) -> Candidate:
        others = tuple(each for each in candidate.measurements if each.device != measurement.device)
        return replace(candidate, measurements=(*others, measurement))

    return record(artifact, with_measurement)


def _recordable(artifact: Path) -> RecordedFile:
    found = candidate_of_file(artifact)
    if found is None:
        raise UsageError(
            f"--record: {artifact} is not a file of a run as the run made it, so there is no run.json to store this in",
            "leave out --record, or name a file under artifacts/ of a run folder",
        )
    return found
