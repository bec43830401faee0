"""Files: written whole or not at all, told apart by their contents, and where they go."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it is either whole or not there, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(*paths: Path) -> str:
    """Returns the sha256 digest, in hexadecimal, of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def default_folder(model: str, command: str = "") -> Path:
    """Returns the folder for results when none is given: ``runs/<model>-<command>-<local time>``.

    Args:
        model: As the user named it: "digits_vit", "hf-hub:owner/name", "package.module:factory".
        command: Left out of the name where it is compress or export.
    """
    parts = (model.rpartition(":")[2].replace("/", "-"), command, f"{datetime.now():%Y%m%d-%H%M%S}")
    return Path("runs", "-".join(filter(None, parts))).resolve()
