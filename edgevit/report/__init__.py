"""The report of a run: a Markdown file and its pictures, made from ``run.json`` alone."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import DiskFull
from edgevit.report.markdown import render_markdown
from edgevit.report.plots.finetune import can_draw_finetunes, draw_finetunes
from edgevit.report.plots.front import can_draw, draw_front
from edgevit.report.plots.staircase import can_draw_staircases, draw_staircases
from edgevit.results.run import Run
from edgevit.run.files import disk_errors, disk_full, new_folder, write_atomically

REPORT, PICTURE, TOKEN_PICTURE, FINETUNE_PICTURE = (
    "report.md", "report.png", "report-tokens.png", "report-finetuning.png",
)  # fmt: skip


def write_report(run: Run, folder: Path) -> Path:
    """Writes ``report.md``, and pictures of the candidates, of token searches and of fine-tuning.

    A picture is left out where there is nothing to draw or matplotlib is not installed.

    Args:
        run: The run.
        folder: Where to write; created if missing. All files appear, or none.

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
        for name in (*filter(None, pictures), REPORT):
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
