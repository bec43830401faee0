"""Whether pruning is worth it: the fastest pruned file beside the best one of fewer tokens or a smaller image that needs no training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgevit import units
from edgevit.report.plans import plan_of
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.results.search import NONE, Search, SearchPoint


@dataclass(frozen=True)
class _File:
    """What is compared of a file that was judged and timed."""

    name: str
    backend: str
    is_pruned: bool
    is_plan: bool
    """Whether it computes fewer tokens or a smaller image, and was neither pruned nor trained."""
    drop: float
    """Against the float model, in points or the unit of the metric."""
    ms: float

    def __str__(self) -> str:
        return f"{self.name} (change {-self.drop:+.2f}, {units.milliseconds(self.ms)})"


def pruning_of_run(run: Run) -> tuple[str, ...]:
    """Returns a sentence for each runtime in which something pruned may be chosen; none where nothing was pruned."""
    return tuple(_sentences([file for candidate in run.candidates for file in _of_candidate(candidate)]))


def pruning_of_search(search: Search, model: str) -> tuple[str, ...]:
    """Returns the same of the points of a model that were made within its drop allowed."""
    limit = next(each.max_drop for each in search.models if each.name == model)
    points = [point for point in search.points if point.settings.model == model and point.status == "measured"]
    return tuple(_sentences([file for point in points for file in _of_point(point) if file.drop <= limit]))


def _of_candidate(candidate: Candidate) -> Iterator[_File]:
    judged = candidate.accuracy.judged if candidate.accuracy else None
    if candidate.status == "ok" and judged and judged.drop is not None and candidate.p50_ms is not None:
        passes = {record.name for record in candidate.passes}
        is_plan = bool(passes & {"reduce_tokens", "resize"}) and not passes & {"prune", "finetune"}
        name = f"{plan_of(candidate)} {candidate.scheme}"
        yield _File(name, candidate.backend, "prune" in passes, is_plan, judged.drop, candidate.p50_ms)


def _of_point(point: SearchPoint) -> Iterator[_File]:
    settings = point.settings
    if point.drop_points and point.p50_ms:
        is_plan = settings.tokens != NONE and settings.prune == settings.finetune == NONE
        name = settings.id.partition("/")[2]
        yield _File(
            name, settings.backend, settings.prune != NONE, is_plan, point.drop_points.value, point.p50_ms.value
        )


def _sentences(files: Sequence[_File]) -> Iterator[str]:
    for backend in dict.fromkeys(file.backend for file in files if file.is_pruned):
        own = [file for file in files if file.backend == backend]
        pruned = min((file for file in own if file.is_pruned), key=lambda file: file.ms)
        as_fast = [file for file in own if file.is_plan and file.ms <= pruned.ms]
        best = min(as_fast, key=lambda file: file.drop, default=None)
        if best is None:
            yield f"{backend}: no plan without training is as fast as the fastest pruned file, {pruned}"
        elif best.drop <= pruned.drop:
            yield f"{backend}: pruning does not beat {best}, which needs no training: the fastest pruned file is {pruned}"
        else:
            yield f"{backend}: the fastest pruned file, {pruned}, beats the best plan without training that is as fast, {best}"
