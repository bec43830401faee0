"""Folders that edgevit wrote, which are no class folders although pictures lie in them."""

from __future__ import annotations

from pathlib import Path

_WRITTEN = ("begin.json", "run.json", "distill.json", "report.md", "sensitivity.json", "attention_distance.png")
"""One of them lies in each folder that a command writes pictures into."""


def is_own_output(folder: Path) -> bool:
    """Returns whether a folder is a run folder, or holds what distill, explain, sensitivity or report wrote."""
    return any((folder / name).is_file() for name in _WRITTEN)
