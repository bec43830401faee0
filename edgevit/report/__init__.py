"""The report of a run: a Markdown file and its pictures, made from ``run.json`` alone, and one HTML file with all of it."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import DiskFull
from edgevit.report.evidence import Evidence
from edgevit.report.markdown import render_markdown
from edgevit.report.plots.finetune import can_draw_finetunes, draw_finetunes
from edgevit.report.plots.front import can_draw, draw_front
from edgevit.report.plots.staircase import can_draw_staircases, draw_staircases
from edgevit.results.run import Run
from edgevit.run.files import disk_errors, disk_full, new_folder, write_atomically

REPORT, PAGE, PICTURE, TOKEN_PICTURE, FINETUNE_PICTURE = (
    "report.md", "report.html", "report.png", "report-tokens.png", "report-finetuning.png",
)  # fmt: skip


def write_report(run: Run, folder: Path, evidence: Evidence | None = None) -> Path:
    """Writes ``report.md``, and pictures of the candidates, of token searches and of fine-tuning; and ``report.html``.

    A picture is left out where there is nothing to draw or matplotlib is not installed.

    Args:
        run: The run.
        folder: Where to write; created if missing. All files appear, or none.
        evidence: What the HTML page shows beside the run; None writes no HTML page, which takes a second longer and needs
            the packages of :data:`edgevit.report.html.page.NEEDS`.

    Returns:
        The path of ``report.md``.

    Raises:
        DiskFull: there is no space left.
    """
    with (
        _named(folder / REPORT),
        new_folder(folder),
        tempfile.TemporaryDirectory(dir=folder, prefix=".edgevit-", suffix=".tmp") as part,
    ):
        drawn = Path(part)
        pictures = (
            _draw(run, drawn / PICTURE, can_draw, draw_front),
            _draw(run, drawn / TOKEN_PICTURE, can_draw_staircases, draw_staircases),
            _draw(run, drawn / FINETUNE_PICTURE, can_draw_finetunes, draw_finetunes),
        )
        write_atomically(drawn / REPORT, render_markdown(run, *pictures).encode())
        page = None if evidence is None else _write_page(run, evidence, drawn / PAGE)
        for name in (*filter(None, (*pictures, page)), REPORT):
            (drawn / name).replace(folder / name)
    return folder / REPORT


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Names a file in the error for a full disk, in place of the temporary one."""
    try:
        with disk_errors(file):
            yield
    except DiskFull as error:
        raise disk_full(file, str(error.hint)) from error


def _draw(run: Run, path: Path, can: Callable[[Run], bool], draw: Callable[[Run, Path], None]) -> str | None:
    """Draws one picture; returns its name, or None where it was left out."""
    if not can(run) or importlib.util.find_spec("matplotlib") is None:
        return None
    draw(run, path)
    return path.name


def _write_page(run: Run, evidence: Evidence, path: Path) -> str:
    from edgevit.report.html.page import render_page

    write_atomically(path, render_page(run, evidence).encode())
    return path.name
