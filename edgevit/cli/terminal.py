"""Output to the terminal: tables, lines and progress bars. The only module that imports Rich."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NoReturn, TextIO

from rich import box
from rich.console import Console
from rich.measure import Measurement as Extent
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from edgevit import units

_UNBOUNDED = 500
"""Width in characters for files and pipes, which get whole lines."""
_PLAIN_INTERVAL = 10.0
"""Least seconds between two plain lines about the same stage."""


class _Console(Console):
    """A console that leaves a broken pipe to the error handler; Rich's own exits with 1, the code of a failed check."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(stream: TextIO | None = None) -> Console:
    """Returns a console for stdout, or for another stream; NO_COLOR is honoured."""
    target = stream or sys.stdout
    width = None if target.isatty() else _UNBOUNDED
    return _Console(file=target, width=width, highlight=False, markup=False, emoji=False)


def print_json(document: Any) -> None:
    """Prints one JSON document on stdout, in ASCII so that any terminal or pipe takes it."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")


def print_line(text: str = "") -> None:
    """Prints a line on stdout, never coloured or folded."""
    sys.stdout.write(text + "\n")


def print_message(text: str) -> None:
    """Prints a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    ranks: Sequence[int] | None = None,
    bold: Sequence[int] = (),
) -> None:
    """Prints a table on stdout.

    Where a terminal is too narrow, whole columns are left out, those of the highest rank first, and a line names them;
    then cells fold. Nothing is cut off.

    Args:
        titles: One per column.
        rows: Cells as text.
        numeric: Indices of the columns to align right.
        ranks: One per column, 0 for columns that are always shown; all are shown when not given.
        bold: Indices of the rows to set in bold.
    """
    out = console()
    shown = list(range(len(titles)))
    while True:
        table = _table(titles, rows, shown, set(numeric), set(bold))
        removable = [index for index in shown if ranks and ranks[index] > 0]
        if not removable or Extent.get(out, out.options.update(width=_UNBOUNDED), table).maximum <= out.width:
            break
        shown.remove(max(removable, key=lambda index: ranks[index] if ranks else 0))
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        print_line(line.rstrip())
    hidden = [titles[index] for index in range(len(titles)) if index not in shown]
    if hidden:
        out.print(f"not shown in this width: {', '.join(hidden)}")


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], shown: list[int], numeric: set[int], bold: set[int]
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index in shown:
        table.add_column(titles[index], justify="right" if index in numeric else "left", overflow="fold")
    for number, row in enumerate(rows):
        table.add_row(*(Text(row[index]) for index in shown), style="bold" if number in bold else None)
    return table


def make_progress() -> Bars | Lines:
    """Returns a context manager that shows progress on stderr: bars on a terminal, plain lines elsewhere.

    It is an :class:`edgevit.run.progress.Progress`.
    """
    stream = sys.stderr
    shown = console(stream)
    return Bars(shown) if stream.isatty() and not shown.is_dumb_terminal else Lines(stream)


class Lines:
    """Progress as plain lines: the start and the end of each stage, and at most one every ten seconds between."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began: dict[str, float] = {}
        self._printed: dict[str, float] = {}
        self._ended: set[str] = set()

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Prints that a stage began or ended, or at most every ten seconds how far it is."""
        now = time.monotonic()
        if name in self._ended:
            return
        if name not in self._began:
            self._began[name] = self._printed[name] = now
            if done < total:
                self.message(f"{name}: started")
        elapsed = now - self._began[name]
        if done >= total:
            self._ended.add(name)
            self.message(f"{name}: done in {units.seconds(elapsed)}")
        elif now - self._printed[name] >= _PLAIN_INTERVAL:
            self._printed[name] = now
            self.message(f"{name}: {units.percent(done / total, 0)}, {_left(elapsed, done, total)}")

    def message(self, text: str) -> None:
        """Prints the line."""
        print(text, file=self._stream, flush=True)


class Bars:
    """Progress as one bar per running stage; a finished stage becomes a line above them."""

    def __init__(self, shown: Console) -> None:
        self._console = shown
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), _Percent(), _TimeLeft())
        self._progress = RichProgress(*columns, console=shown, transient=True, redirect_stdout=False)
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._ended: set[str] = set()

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, name: str, done: int, total: int) -> None:
        """Moves the stage's bar, or replaces it by a line when it is done."""
        if name in self._ended:
            return
        if name not in self._tasks:
            self._began[name] = time.monotonic()
            self._tasks[name] = self._progress.add_task(Text(name).plain, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)
        if done >= total:
            self._ended.add(name)
            self._progress.remove_task(self._tasks[name])
            self.message(f"{name}: done in {units.seconds(time.monotonic() - self._began[name])}")

    def message(self, text: str) -> None:
        """Prints the line above the bars."""
        self._console.print(text)


class _Percent(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(units.percent(task.completed / task.total if task.total else 0.0, 0).rjust(5))


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_left(task.elapsed or 0.0, task.completed, task.total or 0.0))


def _left(elapsed: float, done: float, total: float) -> str:
    """The estimated time left at the pace so far, or the time elapsed while nothing is done."""
    return (
        f"about {units.seconds(elapsed * (total - done) / done)} left"
        if done > 0
        else f"{units.seconds(elapsed)} so far"
    )
