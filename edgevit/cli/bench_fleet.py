"""``edgevit bench`` on several boards: one table, and one document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from edgevit.commands.bench_fleet import OnBoard
    from edgevit.measure.boards.fleet import FleetBoard
    from edgevit.measure.machine import Machine
    from edgevit.run.progress import Progress
    from edgevit.spec.spec import MeasureSpec


@dataclass(frozen=True)
class FleetBench:
    """What is measured on each board."""

    artifacts: Sequence[Path]
    precision: str
    settings: MeasureSpec
    batch: int | None
    seconds: float | None
    """Of a long run; None for a short one."""


@dataclass(frozen=True)
class _Row:
    """What a board gave."""

    document: dict[str, Any]
    cells: tuple[tuple[str, str], ...]
    """File and p50."""
    unstable: str


def bench_fleet(boards: Sequence[FleetBoard], asked: FleetBench, *, require_stable: bool, as_json: bool) -> None:
    """Measures on all boards and shows what each gave.

    Raises:
        UsageError: a board failed; the others are shown before.
        CheckFailed: a measurement is not stable, and has to be.
    """
    from edgevit.cli import terminal
    from edgevit.commands.bench_fleet import on_each

    with terminal.make_progress() as progress:
        outcomes = on_each(boards, asked.artifacts, asked.settings, _measure(asked), progress)
    if as_json:
        terminal.print_json({"boards": [_document(each) for each in outcomes]})
    else:
        rows = [
            (each.board.name, *cells, (each.found.unstable and f"unstable: {each.found.unstable}") or "stable")
            for each in outcomes
            if each.found
            for cells in each.found.cells
        ]
        rows += [(each.board.name, "–", "–", f"failed: {each.error}") for each in outcomes if each.error]
        terminal.print_table(("board", "file", "p50", "conditions"), rows, numeric=(2,))
    failed = [each for each in outcomes if each.error]
    if failed:
        hints = "; ".join(dict.fromkeys(each.error.hint for each in failed if each.error and each.error.hint))
        raise UsageError("; ".join(f"{each.board.name} failed: {each.error}" for each in failed), hints or None)
    unstable = "; ".join(
        f"{each.board.name}: {each.found.unstable}" for each in outcomes if each.found and each.found.unstable
    )
    if require_stable and unstable:
        raise CheckFailed(f"the measurement is unstable: {unstable}", "measure again on quiet boards")


def _measure(asked: FleetBench) -> Callable[[Machine, Progress], _Row]:
    from edgevit.cli.render_bench import sustained_document
    from edgevit.commands import bench as command
    from edgevit.results.document import to_document
    from edgevit.results.machine_state import not_stable

    artifact, *others = asked.artifacts

    def measure(machine: Machine, progress: Progress) -> _Row:
        if others:
            compared = command.compare_files(
                machine, asked.artifacts, asked.precision, asked.settings, asked.batch, progress
            )
            cells = tuple((file.artifact.name, units.milliseconds(file.latency.p50_ms)) for file in compared.files)
            why = "; ".join(f"{file.artifact.name}: {why}" for file, why in compared.not_stable)
            return _Row({"comparison": to_document(compared), **_facts(machine, asked)}, cells, why)
        if asked.seconds is not None:
            run = command.sustain_file(machine, artifact, asked.precision, asked.settings, asked.seconds, progress)
            document = {"artifact": str(artifact), "sustained": sustained_document(run), **_facts(machine, asked)}
            return _Row(
                document, ((artifact.name, units.milliseconds(run.last_ms)),), not_stable(run.unstable, run.machine)
            )
        found = command.measure_file(machine, artifact, asked.precision, asked.settings, asked.batch, progress)
        document = {"artifact": str(artifact), "measurement": to_document(found), **_facts(machine, asked)}
        why = not_stable(found.conditions.unstable, found.conditions.machine)
        return _Row(document, ((artifact.name, units.milliseconds(found.latency_ms.p50)),), why)

    return measure


def _facts(machine: Machine, asked: FleetBench) -> dict[str, Any]:
    from edgevit.commands.bench import machine_document

    return machine_document(machine, asked.artifacts, asked.settings.threads)


def _document(outcome: OnBoard[_Row]) -> dict[str, Any]:
    board = outcome.board
    named = {"name": board.name, "address": str(board.spec.address), "device": board.device}
    if outcome.error is not None:
        return {**named, "error": {"message": outcome.error.message, "hint": outcome.error.hint}}
    assert outcome.found
    return {**named, **outcome.found.document}
