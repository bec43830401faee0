"""Files of a TensorFlow Lite model. Needs no package."""

from __future__ import annotations

from pathlib import Path


def files_of(path: Path) -> tuple[Path, ...]:
    """Returns the file itself: TensorFlow Lite has its weights in it."""
    return (path,)
