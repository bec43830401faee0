"""The repair ladder: what is tried, in which order, when a quantized artifact loses too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from edgevit.errors import CandidateFailed
from edgevit.quantization.policy import FirstGuess
from edgevit.results.candidate import Attempt
from edgevit.spec.recipe import TRANSFORMER_FLOAT_KINDS, WEIGHT_CHANGES, RangeMethod, Recipe, WeightChange
from edgevit.spec.schemes import SCHEMES

FIRST = "policy"
"""Name of the attempt that no rung had a part in."""
PLAIN = "without rewrites"
_ISLANDS = (1, 2, 4, 8, 16)

Ranking = Callable[[Recipe], tuple[str, ...]]
"""Gives the layers, the one that loses most by quantization first; costly, so asked for only when needed.

Raises CandidateFailed where that cannot be found out."""


Change = Callable[[Recipe, Ranking], Recipe]
"""Makes the next recipe from the best so far; the same one where there is nothing left to change."""


@dataclass(frozen=True)
class Rung:
    """One thing to try."""

    name: str
    change: Change


def rungs(first: Recipe, guess: FirstGuess, gptq_schemes: tuple[str, ...]) -> Iterator[Rung]:
    """Yields the rungs that make sense for a recipe, cheapest first.

    Calibration method → equalization → bias correction → kinds of ops in float → the worst layers in float → GPTQ.

    Args:
        first: What the policy begins with.
        guess: Names the calibration methods.
        gptq_schemes: Schemes that the backend's quantizer has GPTQ for.
    """
    scheme = SCHEMES[first.scheme]
    if scheme.is_float:
        return
    if first.scheme != "mixed_wi8_ai8":
        if scheme.calibrated:
            for method in guess.ranges[1:]:
                yield Rung(f"ranges: {method}", _ranges(method))
        if scheme.is_int8:
            for step in WEIGHT_CHANGES:  # the other preparations are the policy's
                yield Rung(step.replace("_", " "), _weight_change(step))
    if first.integer_io == "none":
        if scheme.calibrated and not first.float_kinds:
            yield Rung("adds, normalization, activations in float", _float_kinds)
        for count in _ISLANDS:
            yield Rung(f"float islands: {count}", _islands(count))
    if first.scheme in gptq_schemes:
        yield Rung("GPTQ", _gptq)


def _ranges(method: RangeMethod) -> Change:
    return lambda best, ranking: replace(best, ranges=method)


def _weight_change(step: WeightChange) -> Change:
    return lambda best, ranking: replace(best, preparations=(*best.preparations, step))


def _float_kinds(best: Recipe, ranking: Ranking) -> Recipe:
    return replace(best, float_kinds=TRANSFORMER_FLOAT_KINDS)


def _islands(count: int) -> Change:
    return lambda best, ranking: replace(best, float_layers=ranking(best)[:count])


def _gptq(best: Recipe, ranking: Ranking) -> Recipe:
    return replace(best, rounding="gptq")


def climb(
    first: Recipe,
    ladder: Iterator[Rung],
    attempt: Callable[[str, Recipe], Attempt],
    ranking: Ranking,
    max_drop_points: float,
    has_time: Callable[[], bool],
) -> tuple[Attempt, ...]:
    """Tries the first recipe, then one rung after the other until one holds.

    Each rung starts from the best recipe so far, so gains add up. Where the first recipe cannot be made, it is tried
    without what it prepares, such as a rewrite that this model does not bear.

    Args:
        first: What the policy begins with.
        ladder: See :func:`rungs`.
        attempt: Makes and judges an artifact; an attempt without ``drop_points`` failed.
        ranking: See :data:`Ranking`.
        max_drop_points: The attempt that loses no more holds, and is the last.
        has_time: Asked before each rung.

    Returns:
        Every attempt in order; :func:`best` tells which one to keep.
    """
    tried = [attempt(FIRST, first)]
    if tried[0].note and first.preparations:
        tried.append(attempt(PLAIN, replace(first, preparations=())))
    for rung in takewhile(lambda _: not _holds(best(tried), max_drop_points) and has_time(), ladder):
        try:
            recipe = rung.change(best(tried).recipe, ranking)
        except CandidateFailed as error:  # the layers could not be ranked
            tried.append(Attempt(rung.name, best(tried).recipe, None, None, None, 0.0, error.message))
            continue
        if all(recipe != earlier.recipe for earlier in tried):
            tried.append(attempt(rung.name, recipe))
    return tuple(tried)


def best(attempts: list[Attempt] | tuple[Attempt, ...]) -> Attempt:
    """Returns the attempt that loses least; the earlier, simpler one of two that lose the same; a failed one last."""
    return min(attempts, key=lambda attempt: (attempt.note != "", _lost(attempt)))


def _lost(attempt: Attempt) -> float:
    return float("inf") if attempt.drop_points is None else attempt.drop_points


def _holds(attempt: Attempt, max_drop_points: float) -> bool:
    return attempt.drop_points is not None and attempt.drop_points <= max_drop_points + 1e-9
