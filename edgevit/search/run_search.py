"""A search from specs to a front: opens models, measures single changes, makes points, times the front, keeps it on disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgevit.cluster.execution import Where, open_compute
from edgevit.errors import UsageError
from edgevit.report.plots.search_front import can_draw, draw_search
from edgevit.report.search import search_report
from edgevit.results.document import to_json
from edgevit.results.measurement import HOST
from edgevit.results.search import SEARCH_FILE, Objective, Search
from edgevit.run.executor import Cancelled, Executor
from edgevit.run.files import write_atomically
from edgevit.run.progress import Progress
from edgevit.search.axes import Axes
from edgevit.search.black_box import BlackBox
from edgevit.search.dry_run import check_space
from edgevit.search.front_rounds import rescaled, rounds_seconds, sharing_executors, time_front
from edgevit.search.interrupt import ends_soon_after_interrupt
from edgevit.search.loop import Loop
from edgevit.search.open_search import OpenedModel, open_contexts, open_models, open_network, run_folders
from edgevit.search.record import Recorder
from edgevit.search.request import SearchRequest, check_request, reach_of
from edgevit.search.search_budget import Budget
from edgevit.search.searched_network import SearchedNetwork
from edgevit.search.single_changes import measure_precision
from edgevit.search.strategy import ByPrediction, InOrder, Strategy

REPORT, PICTURE = "report.md", "front.png"
_OVERTIME = 1.08
"""Of the minutes of a search, after which whatever still runs is ended."""
_LEAST_FRONT = 6
"""Points that time is kept for in any case, to measure the front in rounds."""
_SLOWEST, _LARGEST = 1.1, 1.1
"""Times the fastest float model, and its weights in float32: what is slower or larger is not on a front."""
_PRECISION_SHARE = 0.25
"""Of the time that has to be left for measuring layers one by one."""


def search(request: SearchRequest, out: Path, where: Where, progress: Progress, *, resume: bool = False) -> Search:
    """Searches for a front; ``search.json``, a report and a picture are in ``out`` after every candidate, and at the end.

    Args:
        request: What to search.
        out: Folder of the search.
        where: Where its tasks are carried out, and how many side by side.
        progress: Progress callback.
        resume: Whether a search that was stopped goes on: what it made is read back.

    Raises:
        UsageError: something that is asked for does not exist or does not fit, or ``out`` holds a search already; nothing
            heavy was started.
        KeyboardInterrupt: the search was interrupted; what it found so far is in ``out``.
    """
    budget = Budget(request.max_minutes, request.max_trials)
    check_request(request)
    out = out.resolve()
    if (out / SEARCH_FILE).exists() and not resume:
        raise UsageError(f"{out} holds a search already", "add --resume to continue it, or choose another --out")
    folders = run_folders(request, out, resume=resume)
    alone = not (where.cluster or where.store)
    with open_compute(where, folders[0]) as compute:
        models = open_models(request, progress, compute.host)
        if compute.description:
            progress.message(compute.description)
        with (
            open_contexts(models, folders, compute, progress, one_executor=alone) as contexts,
            _ends_in_time([context.stages.executor for context in contexts], budget),
        ):
            with ends_soon_after_interrupt(lambda: None):  # nothing was made yet
                networks = tuple(open_network(*each, budget) for each in zip(models, contexts, strict=True))
            check_space(tuple((network.name, len(network.points)) for network in networks))
            return _Searching(request, budget, out, models, networks, compute.slots).run()


@contextmanager
def _ends_in_time(executors: Sequence[Executor], budget: Budget) -> Iterator[None]:
    """Ends whatever still runs when the time is over."""

    def end() -> None:
        for executor in executors:
            executor.cancel()

    if budget.max_minutes is None:
        yield
        return
    timer = threading.Timer(60 * (_OVERTIME * budget.max_minutes - budget.minutes), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Searching:
    """The search itself, once everything is open."""

    def __init__(
        self,
        request: SearchRequest,
        budget: Budget,
        out: Path,
        models: tuple[OpenedModel, ...],
        networks: tuple[SearchedNetwork, ...],
        slots: int,
    ) -> None:
        self._budget, self._out, self._networks, self._slots = budget, out, networks, slots
        self._axes = _axes(request.objectives, models, networks)
        self._by_prediction = ByPrediction(networks, self._axes, request.seed, by_time=request.max_minutes is not None)
        self._loop = Loop(networks, self._strategy(request), budget, self._save)
        self._recorder = Recorder(request, networks, self._axes, self._by_prediction, budget)

    def _strategy(self, request: SearchRequest) -> Strategy:
        if request.method == "proxy":
            return self._by_prediction
        if request.method == "exhaustive":
            return InOrder(self._networks)
        return BlackBox(self._networks, self._axes, request.method, request.seed)

    def run(self) -> Search:
        """Searches until the end, and measures the front."""
        try:
            with ends_soon_after_interrupt(self._save_interrupted):
                self._loop.run(self._slots, self._reserve, self._learn)
                self._time_front()
        except Cancelled:
            self._loop.ended = "the time was over; what was being made then is left out"
        except KeyboardInterrupt:
            self._save_interrupted()
            raise
        found = self._recorder.document(self._loop)
        self._write(found, picture=True)
        return found

    def _save_interrupted(self) -> None:
        self._loop.ended = "interrupted"
        self._write(self._recorder.document(self._loop), picture=False)

    def _reserve(self) -> float:
        """Seconds to measure the front in rounds."""
        if self._networks[0].maker.target != HOST:
            return 0.0
        points = [each.point for each in self._recorder.front(self._loop.made)]
        return rounds_seconds(points) * max(1.0, _LEAST_FRONT / max(1, len(points))) if points else 10.0

    def _learn(self) -> None:
        """Measures the layers of a model one by one, as soon as one of its runtimes has been quantized."""
        for network in self._networks:
            if network.precision.additivity is not None or not self._budget.has_left(_PRECISION_SHARE):
                continue
            for point, each in self._loop.made.items():
                candidate = network.maker.candidates.get(point)
                if point.changes == 1 and point.scheme == "static_wi8_ai8" and each.amounts and candidate:
                    backend = next(b for b in network.context.inputs.backends if b.name == point.backend)
                    network.precision = measure_precision(
                        network.context, network.trained, backend, candidate, each.amounts.divergence
                    )
                    break

    def _time_front(self) -> None:
        front = self._recorder.front(self._loop.made)
        if not front or self._networks[0].maker.target != HOST:
            return
        dense = [each for point, each in self._loop.made.items() if point.changes == 0 and each.counts]
        entries = list({each.point: each for each in (*front, *dense)}.values())
        for networks in sharing_executors(self._networks):
            names = {network.name for network in networks}
            own = [each for each in entries if each.point.model in names]
            timed, notes = time_front(networks, own) if own else ({}, ())
            self._loop.made = rescaled(self._loop.made, timed)
            self._recorder.timed |= timed.keys()
            self._recorder.notes += notes

    def _save(self) -> None:
        write_atomically(self._out / SEARCH_FILE, to_json(self._recorder.document(self._loop)))

    def _write(self, found: Search, *, picture: bool) -> None:
        write_atomically(self._out / SEARCH_FILE, to_json(found))
        write_atomically(self._out / REPORT, search_report(found).encode())
        if picture and can_draw(found):
            draw_search(found, self._out / PICTURE)


def _axes(
    objectives: tuple[Objective, ...], models: tuple[OpenedModel, ...], networks: tuple[SearchedNetwork, ...]
) -> Axes:
    """The worst that counts: the reach of the search in accuracy, and the dense float models in time and size."""
    bases = {network.name: baseline_points(network) for network in networks}
    best = max(bases.values())
    losses = {name: best - base for name, base in bases.items()}
    worst = {
        "top1": max(losses[model.name] + reach_of(model.spec) for model in models),
        "p50_ms": max(_SLOWEST * min(network.dense_ms.values()) for network in networks),
        "size": max(_LARGEST * 4 * network.context.inputs.model.params for network in networks),
    }
    return Axes(objectives, losses, np.array([worst[name] for name in objectives]))


def baseline_points(network: SearchedNetwork) -> float:
    """Returns what the float model reaches, in points or the unit of the metric; 0 where it is only compared with itself."""
    baseline = network.context.baseline
    if baseline.metric is not None:
        return baseline.metric.value * (100 if baseline.metric.unit == "%" else 1)
    return 100 * baseline.top1 if baseline.top1 is not None else 0.0
