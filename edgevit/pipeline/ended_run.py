"""A run that has ended: what ``--resume`` finds of it."""

from __future__ import annotations

from edgevit.results.run import Run, find_run
from edgevit.run.artifact_files import is_as_made
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
        if not is_as_made(folder.path, artifact):
            progress.message(f"the run had ended, but {artifact.path} has changed since; what is missing is made again")
            return None
    progress.message("the run has ended; its artifacts are as they were")
    return run
