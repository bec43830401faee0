"""Files of an OpenVINO IR. Needs no package."""

from __future__ import annotations

from pathlib import Path


def files_of(path: Path) -> tuple[Path, ...]:
    """Returns the ``.xml``, and the ``.bin`` of the same name where there is one: an IR without constants has none."""
    weights = path.with_suffix(".bin")
    return (path, weights) if weights.is_file() else (path,)
