"""Whether pruning is worth it in a search: the fastest pruned point beside the best one of fewer tokens or a smaller image without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgevit import units
from edgevit.results.search import NONE, Search, SearchPoint


def pruning_lines(search: Search, model: str) -> tuple[str, ...]:
    """Returns a sentence for each runtime in which something pruned was made within the drop allowed.

    Args:
        search: The search.
        model: Name of one of its models.
    """
    limit = next(each.max_drop for each in search.models if each.name == model)
    kept = [
        point
        for point in search.points
        if point.settings.model == model and point.status == "measured" and point.p50_ms and _drop(point) <= limit
    ]
    return tuple(_sentences(kept))


def _sentences(points: Sequence[SearchPoint]) -> Iterator[str]:
    for backend in dict.fromkeys(point.settings.backend for point in points if point.settings.prune != NONE):
        own = [point for point in points if point.settings.backend == backend]
        pruned = min((point for point in own if point.settings.prune != NONE), key=_ms)
        best = min((point for point in own if _is_plan(point) and _ms(point) <= _ms(pruned)), key=_drop, default=None)
        if best is None:
            yield f"{backend}: no plan without training is as fast as the fastest pruned point, {_text(pruned)}"
        elif _drop(best) <= _drop(pruned):
            yield f"{backend}: pruning does not beat {_text(best)}, which needs no training: the fastest pruned point is {_text(pruned)}"
        else:
            yield (
                f"{backend}: the fastest pruned point, {_text(pruned)}, beats the best plan without training that is as fast,"
                f" {_text(best)}"
            )


def _is_plan(point: SearchPoint) -> bool:
    """Whether it computes fewer tokens or a smaller image, and was neither pruned nor trained."""
    settings = point.settings
    return settings.tokens != NONE and settings.prune == settings.finetune == NONE


def _drop(point: SearchPoint) -> float:
    return point.drop_points.value if point.drop_points else float("inf")


def _ms(point: SearchPoint) -> float:
    return point.p50_ms.value if point.p50_ms else float("inf")


def _text(point: SearchPoint) -> str:
    return f"{point.settings.id.partition('/')[2]} (change {0.0 - _drop(point):+.2f}, {units.milliseconds(_ms(point))})"
