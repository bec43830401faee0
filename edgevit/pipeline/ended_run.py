"""A run that has ended: what ``--resume`` finds of it."""

from __future__ import annotations

from edgevit.results.run import Run, find_run
from edgevit.run.files import file_sha256
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress


def ended_run(folder: RunFolder, progress: Progress) -> Run | None:
    """Returns the run of a folder if it has ended and every artifact is as it was; otherwise it has to go on.

    Args:
        folder: Checked to belong to the spec and the inputs of the run.
        progress: Is told what was found.
    """
    run = find_run(folder.path)
    if run is None:
        return None
    for artifact in (candidate.artifact for candidate in run.candidates if candidate.artifact):
        files = [folder.path / name for name in artifact.files]
        if not all(file.is_file() for file in files) or file_sha256(*files) != artifact.sha256:
            progress.message(f"the run had ended, but {artifact.path} has changed since; what is missing is made again")
            return None
    progress.message("the run has ended; its artifacts are as they were")
    return run
