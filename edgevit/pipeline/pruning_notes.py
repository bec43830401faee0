"""What a run says of its pruned candidates: no speed is promised from pruning, and what beat it is named.

Pure: nothing is run, read or written.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgevit.results.candidate import Candidate

_AS_FAST = 1.02
"""Multiple of a candidate's latency within which another one is as fast."""
_PRUNED, _TUNED = "prune", "finetune"


def pruning_notes(candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
    """Returns a sentence on each pruned candidate that was measured: whether a model without pruning or training is better.

    Better means as fast, and more accurate or as accurate: in the same runtime and scheme, from a smaller image or fewer tokens.

    Args:
        candidates: All of a run, judged.
    """
    return tuple(_note(each, candidates) for each in candidates if _has(each, _PRUNED) and _drop(each) is not None)


def _note(pruned: Candidate, candidates: tuple[Candidate, ...]) -> str:
    how = "pruned and fine-tuned" if _has(pruned, _TUNED) else "pruned, untrained"
    if pruned.p50_ms is None:
        return f"{pruned.id} ({how}) was not measured"
    rivals = [each for each in _rivals(pruned, candidates) if (each.p50_ms or 0) <= _AS_FAST * pruned.p50_ms]
    measured = any(True for _ in _rivals(pruned, candidates))
    if not measured:
        return (
            f"{pruned.id} ({how}): no smaller image or token plan was measured beside it, which may well be better: add --tokens"
            " resolution:N"
        )
    best = min(rivals, key=lambda each: (_drop(each), each.id), default=None)
    if best is None:
        return f"{pruned.id} ({how}): nothing as fast was measured without pruning or training"
    drop, other = _drop(pruned), _drop(best)
    assert drop is not None
    assert other is not None
    verdict = "is not better" if other <= drop else "is more accurate"
    return (
        f"{pruned.id} ({how}) {verdict} than {best.id}, untrained, which takes {best.p50_ms:.3g} ms against"
        f" {pruned.p50_ms:.3g} ms: it loses {drop:.1f}, the other {other:.1f} points"
    )


def _rivals(pruned: Candidate, candidates: tuple[Candidate, ...]) -> Iterator[Candidate]:
    """Measured candidates of the same runtime and scheme from a smaller image or fewer tokens, neither pruned nor trained."""
    for each in candidates:
        is_alike = (each.backend, each.scheme) == (pruned.backend, pruned.scheme)
        is_untrained_plan = (_has(each, "resize") or _has(each, "reduce_tokens")) and not (
            _has(each, _PRUNED) or _has(each, _TUNED)
        )
        if is_alike and is_untrained_plan and each.p50_ms is not None and _drop(each) is not None:
            yield each


def _has(candidate: Candidate, name: str) -> bool:
    return any(record.name == name for record in candidate.passes)


def _drop(candidate: Candidate) -> float | None:
    judged = candidate.accuracy.judged if candidate.accuracy else None
    return judged.drop if judged else None
