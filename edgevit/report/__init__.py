"""The report of a run: one Markdown file with one picture, made from ``run.json`` alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from edgevit.report.markdown import render_markdown
from edgevit.report.plot import can_draw, draw_front
from edgevit.results import Run, write_atomically

REPORT, PICTURE = "report.md", "report.png"


def write_report(run: Run, folder: Path) -> Path:
    """Writes ``report.md`` and, where there is something to draw and matplotlib to draw it, ``report.png``.

    Args:
        run: The run.
        folder: Where to write; made if it does not exist. Each file is either whole or not there.

    Returns:
        The path of ``report.md``.
    """
    with_picture = can_draw(run) and importlib.util.find_spec("matplotlib") is not None
    if with_picture:
        draw_front(run, folder / PICTURE)
    write_atomically(folder / REPORT, render_markdown(run, PICTURE if with_picture else None).encode())
    return folder / REPORT
