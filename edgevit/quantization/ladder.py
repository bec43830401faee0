"""The repair ladder: what is tried, in which order, when a quantized artifact exceeds the accuracy budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from edgevit.errors import CandidateFailed
from edgevit.quantization.policy import FirstGuess
from edgevit.results.candidate import Attempt, within_budget
from edgevit.spec.recipe import TRANSFORMER_FLOAT_KINDS, WEIGHT_CHANGES, RangeMethod, Recipe, WeightChange
from edgevit.spec.schemes import SCHEMES

FIRST = "policy"
"""Rung of the attempt with the policy's recipe."""
PLAIN = "without rewrites"
"""Rung of the attempt with the policy's recipe, but without its preparations."""
_LAYERS_IN_FLOAT = (1, 2, 4, 8, 16)

Ranking = Callable[[Recipe], tuple[str, ...]]
"""Returns the layers, the one that loses most by quantization first; costly, so called only when needed.

Raises CandidateFailed where they cannot be ranked."""

Change = Callable[[Recipe, Ranking], Recipe]
"""Returns the next recipe, given the best so far; the same one where there is nothing to change."""


@dataclass(frozen=True)
class Rung:
    """One change to try."""

    name: str
    """A value in ``run.json``."""
    change: Change


def rungs(first: Recipe, guess: FirstGuess, gptq_schemes: tuple[str, ...]) -> Iterator[Rung]:
    """Yields the rungs that make sense for a recipe, cheapest first.

    Calibration method → equalization → bias correction → kinds of ops in float → the worst layers in float → GPTQ.

    Args:
        first: The policy's recipe.
        guess: Names the calibration methods.
        gptq_schemes: Schemes for which the backend's quantizer has GPTQ.
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
        for count in _LAYERS_IN_FLOAT:
            yield Rung(f"layers in float: {count}", _worst_layers_in_float(count))
    if first.scheme in gptq_schemes:
        yield Rung("GPTQ", _gptq)


def _ranges(method: RangeMethod) -> Change:
    return lambda best, ranking: replace(best, ranges=method)


def _weight_change(step: WeightChange) -> Change:
    return lambda best, ranking: replace(best, preparations=(*best.preparations, step))


def _float_kinds(best: Recipe, ranking: Ranking) -> Recipe:
    return replace(best, float_kinds=TRANSFORMER_FLOAT_KINDS)


def _worst_layers_in_float(count: int) -> Change:
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
    """Tries the first recipe, then one rung after the other until an attempt is within the accuracy budget.

    Each rung starts from the best recipe so far, so gains add up. Where the first recipe fails, it is tried again
    without its preparations, such as a rewrite that fails for this model.

    Args:
        first: The policy's recipe.
        ladder: See :func:`rungs`.
        attempt: Makes and evaluates an artifact; an attempt without ``drop_points`` failed.
        ranking: See :data:`Ranking`.
        max_drop_points: The accuracy budget, in percentage points; the first attempt that loses no more is the last.
        has_time: Called before each rung.

    Returns:
        Every attempt in order; :func:`best` returns the one to keep.
    """
    tried = [attempt(FIRST, first)]
    if tried[0].note and first.preparations:
        tried.append(attempt(PLAIN, replace(first, preparations=())))
    for rung in takewhile(lambda _: not _within_budget(best(tried), max_drop_points) and has_time(), ladder):
        try:
            recipe = rung.change(best(tried).recipe, ranking)
        except CandidateFailed as error:  # the layers could not be ranked
            tried.append(Attempt(rung.name, best(tried).recipe, None, None, None, 0.0, error.message))
            continue
        if all(recipe != earlier.recipe for earlier in tried):
            tried.append(attempt(rung.name, recipe))
    return tuple(tried)


def best(attempts: list[Attempt] | tuple[Attempt, ...]) -> Attempt:
    """Returns the attempt that loses least; of equal ones the earlier, simpler one; a failed one only if all failed."""
    return min(attempts, key=lambda attempt: (attempt.note != "", _lost(attempt)))


def _lost(attempt: Attempt) -> float:
    return float("inf") if attempt.drop_points is None else attempt.drop_points


def _within_budget(attempt: Attempt, max_drop_points: float) -> bool:
    return attempt.drop_points is not None and within_budget(attempt.drop_points, max_drop_points)
