"""Compares the files of a judged artifact, where they are at hand, with what the run recorded of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import first_line
from edgevit.gate.verdict import Check, Outcome
from edgevit.results.artifact import Artifact
from edgevit.results.candidate import Candidate
from edgevit.run.files import file_sha256, leaves_folder

WITHOUT = "judged without its artifacts"


@dataclass(frozen=True)
class FilesFound:
    """What is known of the files of an artifact."""

    checks: tuple[Check, ...] = ()
    note: str = ""
    """What people have to know, such as that they are not there."""
    fault: str = ""
    """Why they are not those of the run; "" where they are, or are not there."""


def find_files(candidate: Candidate | None, folder: Path, *, required: bool) -> FilesFound:
    """Compares the files of an artifact with its record.

    Args:
        candidate: Whose artifact; None where there is none.
        folder: Folder of ``run.json``, to which the paths of artifacts are relative.
        required: Whether the check fails where the files are not there.
    """
    artifact = candidate.artifact if candidate else None
    named = () if artifact is None else artifact.files
    files, stay = tuple(folder / name for name in named), not any(map(leaves_folder, named))
    if artifact is None or (files and stay and not any(map(_is_there, files))):
        reason = "there is no artifact" if artifact is None else f"{artifact.path} is not in {folder}"
        return FilesFound((_check(f"{WITHOUT}: {reason}", "fail"),) if required else (), WITHOUT)
    complaint = _complaint(artifact, files)
    if complaint:
        return FilesFound(fault=complaint)
    return FilesFound((_check(f"its files are those of the run: sha256 {artifact.sha256[:12]}…", "pass"),))


def _check(message: str, verdict: Outcome) -> Check:
    return Check("artifact", None, "is", None, None, "", "file", verdict, message)


def _is_there(file: Path) -> bool:
    return file.is_symlink() or file.exists()


def _complaint(artifact: Artifact, files: tuple[Path, ...]) -> str:
    """Returns what is wrong with the files; "" where they are as recorded."""
    outside = next((name for name in artifact.files if leaves_folder(name)), None)
    if outside is not None:
        return f"the run names a file outside of its folder: {outside!r}"
    if artifact.path not in artifact.files:
        return f"the run does not list {artifact.path!r} among the files of the artifact"
    lost = next((file for file in files if not file.is_file()), None)
    if lost is not None:
        return f"{lost} is {'not a file' if _is_there(lost) else 'missing'}, but other files of the artifact are there"
    try:
        size, digest = sum(file.stat().st_size for file in files), file_sha256(*files)
    except OSError as error:
        return f"{artifact.path} cannot be read: {error.strerror or first_line(error)}"
    if digest != artifact.sha256:
        return f"{artifact.path} was changed after the run: its sha256 is {digest[:12]}…, not {artifact.sha256[:12]}…"
    if size != artifact.size_bytes:
        return f"{artifact.path} has {size} bytes, but the run says {artifact.size_bytes}"
    return ""
