"""What it costs to carry tasks out elsewhere: ``make bench-scale`` (Linux).

Prints, on a cluster of two workers of this machine: how long it takes until a run is ready, what a task costs besides its own work, what a
second run takes, and how sleep-bound and real tasks scale from one worker to two. Machines differ; the ratios are the requirement.

    python -m benchmarks.scale_out
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgevit.cli.terminal import print_message
from edgevit.cluster.execution import Where
from edgevit.run.executor import Executor
from edgevit.run.task import Task
from tests.cluster.clusters import ROOT, WARM, LocalCluster, cluster, opened
from tests.cluster.file_jobs import Number, Span, nothing, spin
from tests.cluster.file_jobs import sleep as sleep_job

_EMPTY = 100
_SLEEPS, _SLEEP_S = 16, 3.0
_SPINS, _SPIN_S = 8, 1.0
_SLOTS = 2
_QUIET_CORES = 2 * _SLOTS


@dataclass(frozen=True)
class Figure:
    """What was measured, beside what is wanted."""

    what: str
    found: str
    wanted: str
    holds: bool | None
    """None where nothing is wanted, or it could not be measured."""

    @property
    def line(self) -> str:
        """For people."""
        verdict = {True: "holds", False: "DOES NOT HOLD", None: ""}[self.holds]
        return f"| {self.what} | {self.found} | {self.wanted} | {verdict} |"


def main() -> int:
    """Measures everything; returns 1 where something does not hold."""
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as name:
        folder = Path(name)
        with cluster(folder, workers={"one": _SLOTS}) as local:
            figures = [ready(local, folder), *overhead(local, folder)]
            alone = [scaled(local, folder, "sleep, one", sleeps), scaled(local, folder, "spin, one", spins)]
            local.worker("two", "--jobs", str(_SLOTS))
            both = [scaled(local, folder, "sleep, two", sleeps), scaled(local, folder, "spin, two", spins)]
            figures += [
                ratio("sleep-bound tasks, two workers beside one", alone[0], both[0], 1.7),
                real_ratio(alone[1], both[1]),
                warm(local, folder),
            ]
    print("| what | found | wanted | |\n|---|---|---|---|")
    for figure in figures:
        print(figure.line)
    return int(any(figure.holds is False for figure in figures))


def ready(local: LocalCluster, folder: Path) -> Figure:
    """Until a run may ask for its first task: the connection, the versions, the store; Dask is imported before."""
    import edgevit.cluster.engine  # noqa: F401  as a worker has it

    begin = time.monotonic()
    with opened(folder / "ready", at(local, folder, "ready")):
        seconds = time.monotonic() - begin
    return Figure("a run is ready", f"{seconds:.2f} s", "≤ 1 s", seconds <= 1)


def overhead(local: LocalCluster, folder: Path) -> list[Figure]:
    """Of empty tasks one by one, beside those of the pool of this machine; and of the engine, where the record is there."""
    print_message(f"{_EMPTY} empty tasks here and there")
    seconds = {}
    for name, where in (("here", Where(jobs=1)), ("there", at(local, folder, "overhead"))):
        with opened(folder / name, where) as executor:
            executor.run_now(Task(nothing, Number(-1), Span, preload=WARM), folder / name / "logs" / "log")
            seconds[name] = timed(
                executor, folder / name, [Task(nothing, Number(each), Span, preload=WARM) for each in range(_EMPTY)], 1
            )
    each = {name: 1000 * total / _EMPTY for name, total in seconds.items()}
    with opened(folder / "engine", at(local, folder, "engine")) as executor:
        engine = 1000 * engine_seconds(executor, folder / "engine")
    return [
        Figure("an empty task here", f"{each['here']:.1f} ms", "", None),
        Figure("an empty task there, with key, store and log", f"{each['there']:.1f} ms", "", None),
        Figure("of that, the engine: submit, and the record is there", f"{engine:.1f} ms", "≤ 10 ms", engine <= 10),
    ]


def engine_seconds(executor: Executor, run: Path) -> float:
    """Of one task whose record a worker finds, as the engine carries it."""
    from edgevit.cluster.cluster_executor import ClusterExecutor
    from edgevit.cluster.resources import task_needs

    assert isinstance(executor, ClusterExecutor)
    task = Task(nothing, Number(0), Span, preload=WARM)
    log = run / "logs" / "log"
    executor.run_now(task, log)
    parcel = executor._parcel([task], executor.tasks.keys([task], timing=False), log, in_turn=False)
    needs, engine = task_needs(executor.tasks.basis.versions, None), executor.cluster.engine
    begin = time.monotonic()
    for number in range(_EMPTY):
        submitted = engine.submit(f"engine-{number}", parcel, needs, None, None)
        assert submitted.outcome().record is not None
        submitted.drop()
    return (time.monotonic() - begin) / _EMPTY


def sleeps() -> list[Task[Number, Span]]:
    """Tasks that wait."""
    return [Task(sleep_job, Number(each, _SLEEP_S), Span, preload=WARM) for each in range(_SLEEPS)]


def spins() -> list[Task[Number, Span]]:
    """Tasks that compute."""
    return [Task(spin, Number(each, _SPIN_S), Span, preload=WARM) for each in range(_SPINS)]


def scaled(local: LocalCluster, folder: Path, name: str, make: Callable[[], list[Task[Number, Span]]]) -> float:
    """Seconds of tasks in a store of their own."""
    print_message(name)
    with opened(folder / name, at(local, folder, name)) as executor:
        return timed(executor, folder / name, make(), executor.jobs)


def ratio(what: str, alone: float, both: float, wanted: float) -> Figure:
    """How many times as fast two workers are."""
    return Figure(
        what, f"{alone:.1f} s and {both:.1f} s: {alone / both:.2f} ×", f"≥ {wanted} ×", alone / both >= wanted
    )


def real_ratio(alone: float, both: float) -> Figure:
    """As :func:`ratio`, of tasks that compute, where there are processors for them."""
    figure = ratio("tasks that compute, two workers beside one", alone, both, 1.5)
    cores = len(os.sched_getaffinity(0))
    if cores >= _QUIET_CORES and os.getloadavg()[0] < 1:
        return figure
    return Figure(
        figure.what,
        figure.found,
        f"not judged: {cores} cores, load {os.getloadavg()[0]:.1f}, and {_QUIET_CORES} quiet ones are needed",
        None,
    )


def warm(local: LocalCluster, folder: Path) -> Figure:
    """A second run of what one has done."""
    seconds = []
    for name in ("cold", "warm"):
        with opened(folder / name, at(local, folder, "warm store")) as executor:
            seconds.append(timed(executor, folder / name, sleeps(), executor.jobs))
    share = seconds[1] / seconds[0]
    return Figure(
        "a second run of the same tasks",
        f"{seconds[0]:.1f} s, then {seconds[1]:.2f} s: {100 * share:.1f} %",
        "≤ 5 %",
        share <= 0.05,
    )


def at(local: LocalCluster, folder: Path, store: str) -> Where:
    """The cluster, with a store of its own."""
    return Where(cluster=local.url, store=str(folder / "stores" / store.replace(" ", "-")))


def timed(executor: Executor, run: Path, tasks: Sequence[Task[Number, Span]], at_once: int) -> float:
    """Seconds that tasks take, so many asked for at once."""
    begin = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda task: executor.run_now(task, run / "logs" / "log"), tasks))
    return time.monotonic() - begin


if __name__ == "__main__":
    sys.exit(main())
