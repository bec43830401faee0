"""The report of a run: a Markdown file and its pictures, made from ``run.json`` alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from edgevit.report.markdown import render_markdown
from edgevit.report.plots.front import can_draw, draw_front
from edgevit.report.plots.staircase import can_draw_staircases, draw_staircases
from edgevit.results.run import Run
from edgevit.run.files import write_atomically

REPORT, PICTURE, TOKEN_PICTURE = "report.md", "report.png", "report-tokens.png"


def write_report(run: Run, folder: Path) -> Path:
    """Writes ``report.md``, ``report.png`` of the candidates and ``report-tokens.png`` of token searches.

    A picture is left out where there is nothing to draw or matplotlib is not installed.

    Args:
        run: The run.
        folder: Where to write; created if missing. Each file is written atomically.

    Returns:
        The path of ``report.md``.
    """
    pictures = (
        _draw(run, folder / PICTURE, can_draw, draw_front),
        _draw(run, folder / TOKEN_PICTURE, can_draw_staircases, draw_staircases),
    )
    write_atomically(folder / REPORT, render_markdown(run, *pictures).encode())
    return folder / REPORT


def _draw(run: Run, path: Path, can: Callable[[Run], bool], draw: Callable[[Run, Path], None]) -> str | None:
    """Draws one picture; returns its name, or None where it was left out."""
    if not can(run) or importlib.util.find_spec("matplotlib") is None:
        return None
    draw(run, path)
    return path.name
