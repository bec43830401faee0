"""Output to the terminal: tables, lines and progress bars. The only module that imports Rich."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rich import box
from rich.console import Console
from rich.measure import Measurement as Extent
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from edgevit import units
from edgevit.cli.plan_text import plan_line
from edgevit.cli.streams import stdout_for_results

if TYPE_CHECKING:
    from edgevit.run.progress import RunPlan
    from edgevit.run.time_left import RunCount

_UNBOUNDED = 500
"""Width in characters for files and pipes, which get whole lines unless COLUMNS is set."""
_PLAIN_INTERVAL = 10.0
"""Least seconds between two plain lines about the same stage."""


class _Console(Console):
    """A console that leaves a broken pipe to the error handler; Rich's own exits with 1, the code of a failed check."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(stream: TextIO | None = None) -> Console:
    """Returns a console for stdout, or for another stream; NO_COLOR and COLUMNS are honoured."""
    target = stream or sys.stdout
    width = None if target.isatty() or "COLUMNS" in os.environ else _UNBOUNDED
    return _Console(file=target, width=width, highlight=False, markup=False, emoji=False)


def print_json(document: Any) -> None:
    """Prints one JSON document on stdout, in ASCII so that any terminal or pipe takes it."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")


def print_line(text: str = "") -> None:
    """Prints a line on stdout, never coloured or folded."""
    sys.stdout.write(units.visible(text) + "\n")


def print_message(text: str) -> None:
    """Prints a line on stderr."""
    print(units.visible(text), file=sys.stderr, flush=True)


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    ranks: Sequence[int] | None = None,
    bold: Sequence[int] = (),
    wide: bool = False,
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
        wide: Whether lines may be longer than the terminal is wide.
    """
    out = console()
    shown = list(range(len(titles)))
    while True:
        table = _table(titles, rows, shown, set(numeric), set(bold))
        removable = [index for index in shown if ranks and ranks[index] > 0]
        if wide or not removable or _width(table) <= out.width:
            break
        shown.remove(max(removable, key=lambda index: ranks[index] if ranks else 0))
    if wide:
        out.width = _width(table)
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        print_line(line.rstrip())
    hidden = [titles[index] for index in range(len(titles)) if index not in shown]
    if hidden:
        out.print(f"not shown in this width: {', '.join(hidden)}")


def fits(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the terminal has room for all of a table, none of its cells folded."""
    return _width(_table(titles, rows, list(range(len(titles))), set(), set())) <= console().width


def _width(table: Table) -> int:
    """Characters of its longest line, as far as a file gets whole lines."""
    out = console()
    return Extent.get(out, out.options.update(width=_UNBOUNDED), table).maximum


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], shown: list[int], numeric: set[int], bold: set[int]
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True, header_style="bold")
    for index in shown:
        table.add_column(titles[index], justify="right" if index in numeric else "left", overflow="fold")
    for number, row in enumerate(rows):
        table.add_row(*(Text(_one_line(row[index])) for index in shown), style="bold" if number in bold else None)
    return table


def _one_line(text: str) -> str:
    return units.visible(text).replace("\n", "\\n").replace("\t", " ")


@contextlib.contextmanager
def make_progress(*, verbose: bool = True) -> Iterator[Bars | Lines | CandidateLines]:
    """Shows progress on stderr while something is done: bars on a terminal, plain lines elsewhere.

    It is an :class:`edgevit.run.progress.Progress`. What models and libraries print on stdout meanwhile goes to stderr.

    Args:
        verbose: Whether every stage leaves a line; otherwise a run leaves one per candidate.
    """
    with stdout_for_results(), _progress(sys.stderr, verbose) as shown:
        yield shown


def _progress(stream: TextIO, verbose: bool) -> Bars | Lines | CandidateLines:
    shown = console(stream)
    if stream.isatty() and not shown.is_dumb_terminal:
        return Bars(shown, verbose=verbose)
    return Lines(stream) if verbose else CandidateLines(stream)


class CandidateLines:
    """Progress of a run as one plain line per finished candidate, with how far the run is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._count: RunCount | None = None

    def __enter__(self) -> CandidateLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def begin(self, plan: RunPlan) -> None:
        """Prints what the run is going to make."""
        with self._lock:
            self._count = _start_count(plan)
            self.message(plan_line(plan))

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Counts the stage."""
        with self._lock:
            _count(self._count, name, done, total)

    def failed(self, name: str) -> None:
        """Counts the stage; the line of its candidate says why it failed."""
        self.stage(name, 1, 1)

    def candidate(self, text: str) -> None:
        """Prints the line, and how far the run is."""
        with self._lock:
            self.message(f"{text} ({_how_far(self._count)})" if self._count else text)

    def message(self, text: str) -> None:
        """Prints the line."""
        with self._lock:
            print(units.visible(text), file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Does nothing: the log of the run has it."""


class Lines:
    """Progress as plain lines: the start and the end of each stage, and at most one every ten seconds between."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._count: RunCount | None = None
        self._began: dict[str, float] = {}
        self._printed: dict[str, float] = {}
        self._ended: set[str] = set()

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def begin(self, plan: RunPlan) -> None:
        """Prints what the run is going to make."""
        with self._lock:
            self._count = _start_count(plan)
            self.message(plan_line(plan))

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Prints that a stage began or ended, or at most every ten seconds how far it is."""
        with self._lock:
            now = time.monotonic()
            if name in self._ended:
                return
            if name not in self._began:
                self._began[name] = self._printed[name] = now
                if done < total:
                    self.message(f"{name}: started")
            _count(self._count, name, done, total)
            elapsed = now - self._began[name]
            if done >= total:
                self._end(name, f"done in {units.seconds(elapsed)}")
            elif now - self._printed[name] >= _PLAIN_INTERVAL:
                self._printed[name] = now
                so_far = f"{name}: {units.percent(done / total, 0)}, {_left(elapsed, done, total)}"
                self.message(f"{so_far}; {note}" if note else so_far)

    def failed(self, name: str) -> None:
        """Prints that a stage failed."""
        with self._lock:
            _count(self._count, name, 1, 1)
            self._end(name, "failed")

    def candidate(self, text: str) -> None:
        """Prints the line."""
        self.message(text)

    def message(self, text: str) -> None:
        """Prints the line."""
        with self._lock:
            print(units.visible(text), file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Prints the line."""
        self.message(text)

    def _end(self, name: str, how: str) -> None:
        self._ended.add(name)
        self.message(f"{name}: {how}" + (f" ({_how_far(self._count)})" if self._count else ""))


class Bars:
    """Progress as one bar per running stage, below them one of the whole run; what is finished becomes a line above."""

    def __init__(self, shown: Console, *, verbose: bool = True) -> None:
        """Shows nothing yet.

        Args:
            shown: The terminal.
            verbose: Whether every finished stage leaves a line.
        """
        self._console = shown
        self._verbose = verbose
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), _Percent(), _TimeLeft())
        self._progress = RichProgress(*columns, console=shown, transient=True, redirect_stdout=False)
        self._lock = threading.RLock()
        self._count: RunCount | None = None
        self._run: TaskID | None = None
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

    def begin(self, plan: RunPlan) -> None:
        """Prints what the run is going to make, and shows a bar for all of it."""
        with self._lock:
            self._count = _start_count(plan)
            self.message(plan_line(plan))
            self._run = self._progress.add_task("", total=1.0, count=self._count)
            self._show_run()

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Moves the stage's bar, or removes it when it is done."""
        with self._lock:
            if name in self._ended:
                return
            if name not in self._tasks:
                self._began[name] = time.monotonic()
                self._tasks[name] = self._progress.add_task(units.visible(name), total=total)
            _count(self._count, name, done, total)
            shown = units.visible(f"{name}: {note}" if note else name)
            self._progress.update(self._tasks[name], completed=done, total=total, description=shown)
            if done >= total:
                self._end(name, f"done in {units.seconds(time.monotonic() - self._began[name])}")
            self._show_run()

    def failed(self, name: str) -> None:
        """Removes the stage's bar."""
        with self._lock:
            _count(self._count, name, 1, 1)
            self._end(name, "failed")
            self._show_run()

    def candidate(self, text: str) -> None:
        """Prints the line above the bars."""
        self.message(text)

    def message(self, text: str) -> None:
        """Prints the line above the bars."""
        with self._lock:
            self._console.print(units.visible(text))

    def detail(self, text: str) -> None:
        """Prints the line above the bars, where every line is asked for."""
        if self._verbose:
            self.message(text)

    def _end(self, name: str, how: str) -> None:
        self._ended.add(name)
        if name in self._tasks:
            self._progress.remove_task(self._tasks[name])
        if self._verbose:
            self.message(f"{name}: {how}")

    def _show_run(self) -> None:
        """Moves the bar of the whole run, which stands below the others."""
        if self._count is None or self._run is None:
            return
        self._progress.remove_task(self._run)
        self._run = self._progress.add_task(
            f"stage {self._count.ended} of {self._count.total}",
            completed=self._count.ended,
            total=self._count.total,
            count=self._count,
        )


def _start_count(plan: RunPlan) -> RunCount:
    from edgevit.run.time_left import RunCount

    return RunCount(plan, time.monotonic())


def _count(count: RunCount | None, name: str, done: int, total: int) -> None:
    if count is not None and done >= total:
        count.end(name, time.monotonic())
    elif count is not None:
        count.begin(name, time.monotonic())


def _how_far(count: RunCount) -> str:
    left = units.rough_seconds(count.seconds_left(time.monotonic()))
    return f"stage {count.ended} of {count.total}, about {left} left"


class _Percent(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(units.percent(task.completed / task.total if task.total else 0.0, 0).rjust(5))


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        count = task.fields.get("count")
        if count is not None:  # the bar of the whole run
            return Text(f"about {units.rough_seconds(count.seconds_left(time.monotonic()))} left")
        return Text(_left(task.elapsed or 0.0, task.completed, task.total or 0.0))


def _left(elapsed: float, done: float, total: float) -> str:
    """The estimated time left at the pace so far, or the time elapsed while nothing is done."""
    return (
        f"about {units.seconds(elapsed * (total - done) / done)} left"
        if done > 0
        else f"{units.seconds(elapsed)} so far"
    )
