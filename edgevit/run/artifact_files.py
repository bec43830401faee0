"""Whether the files of an artifact are those that a run made."""

from __future__ import annotations

from pathlib import Path

from edgevit.results.artifact import Artifact
from edgevit.run.files import file_sha256, leaves_folder


def is_as_made(folder: Path, artifact: Artifact) -> bool:
    """Returns whether all files of an artifact are there, inside the run folder, with the contents that were made.

    Args:
        folder: Of the run.
        artifact: As its ``run.json`` has it; one with a name that leaves the folder never is.
    """
    files = [folder / name for name in artifact.files]
    inside = not any(map(leaves_folder, artifact.files))
    return bool(files) and inside and all(map(Path.is_file, files)) and file_sha256(*files) == artifact.sha256
