"""The points that a spec allows for one model, and the pairs that are impossible, with the reason for each.

Which layers stay in float is chosen for a point later on, see :mod:`edgevit.search.integer_program`: points here quantize all.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edgevit.results.search import NONE, PointSettings, Struck
from edgevit.spec.schemes import SCHEMES

FLOAT = "fp32"


@dataclass(frozen=True, order=True)
class Change:
    """A token plan or a smaller image, and how the graph selects tokens."""

    tokens: str = NONE
    form: str = NONE


@dataclass(frozen=True)
class Dimensions:
    """What may be combined, as the spec names it."""

    model: str
    backends: tuple[str, ...]
    schemes: tuple[str, ...]
    """Without float32, which is always there."""
    changes: tuple[Change, ...] = ()
    """Without the dense model, which is always there."""
    prunes: tuple[str, ...] = ()
    rungs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What makes pairs impossible."""

    has_scheme: Callable[[str, str], bool]
    """Of a backend and a scheme."""
    is_computed: Callable[[str], bool]
    """Whether this processor has the precision of a scheme."""
    calibrated: bool
    """Whether there are calibration images."""
    fits_io: Callable[[str], bool]
    """Whether a scheme can have the inputs and outputs that the spec asks for."""
    unsupported: Callable[[str, Change], str]
    """Why the target cannot run a change in a backend; "" where it can."""
    refused: Callable[[str], str]
    """Why the model cannot carry out a token plan or a pruning; "" where it can."""


@dataclass(frozen=True)
class Space:
    """What is left, and what was struck out."""

    points: tuple[PointSettings, ...]
    struck: tuple[Struck, ...]


def make_space(dimensions: Dimensions, facts: Facts) -> Space:
    """Combines the dimensions, without what is impossible.

    Args:
        dimensions: What may be combined.
        facts: What makes pairs impossible.
    """
    kept, left_out = [], Counter[tuple[str, str]]()
    for point in _combinations(dimensions):
        reason = next(_reasons(point, facts), None)
        if reason is None:
            kept.append(point)
        else:
            left_out[reason] += 1
    struck = tuple(Struck(what, why, count) for (what, why), count in left_out.items())
    return Space(tuple(kept), struck)


def _combinations(dimensions: Dimensions) -> Iterator[PointSettings]:
    for backend, scheme, change, prune, rung in itertools.product(
        dimensions.backends,
        dict.fromkeys((FLOAT, *dimensions.schemes)),
        dict.fromkeys((Change(), *dimensions.changes)),
        dict.fromkeys((NONE, *dimensions.prunes)),
        dict.fromkeys((NONE, *dimensions.rungs)),
    ):
        yield PointSettings(dimensions.model, backend, scheme, change.tokens, change.form, prune, rung)


def _reasons(point: PointSettings, facts: Facts) -> Iterator[tuple[str, str]]:
    """Why a point is impossible, each with the pair that is to blame; the first one counts."""
    scheme, change = SCHEMES[point.scheme], Change(point.tokens, point.form)
    for name in (point.tokens, point.prune):
        refusal = facts.refused(name) if name != NONE else ""
        if refusal:
            yield f"{point.model} × {name}", refusal
    if not facts.is_computed(scheme.name):
        yield f"{scheme.name} × this processor", f"it needs {scheme.precision}, which the processor does not have"
    if not facts.has_scheme(point.backend, scheme.name):
        yield f"{point.backend} × {scheme.name}", "the runtime has no such scheme"
    if scheme.calibrated and not facts.calibrated:
        yield f"{scheme.name} × no calibration images", "it needs images to calibrate with: give --calibration"
    if not scheme.is_float and not facts.fits_io(scheme.name):
        yield f"{scheme.name} × integer I/O", "integers from input to output need static int8"
    missing = facts.unsupported(point.backend, change)
    if missing:
        yield f"{point.backend} × {change.tokens} ({change.form})", missing
    if point.finetune != NONE:
        if scheme.name != FLOAT and not scheme.is_int8:
            yield f"{scheme.name} × fine-tuning", "fine-tuning computes in float32 or int8"
        elif scheme.name == FLOAT and point.tokens == point.prune == NONE:
            yield f"{FLOAT} × fine-tuning", "nothing was compressed that fine-tuning could regain"


def parents(point: PointSettings) -> tuple[PointSettings, ...]:
    """Returns the points that have to be made before a point, first things first: its float parents, and what is tuned."""
    dense = PointSettings(point.model, point.backend, FLOAT)
    reduced = PointSettings(point.model, point.backend, FLOAT, point.tokens, point.form, point.prune)
    untuned = PointSettings(
        point.model, point.backend, point.scheme, point.tokens, point.form, point.prune, NONE, point.float_layers
    )
    return tuple(each for each in dict.fromkeys((dense, reduced, untuned)) if each != point)


def to_make(point: PointSettings, made: Iterable[PointSettings]) -> tuple[PointSettings, ...]:
    """Returns a point after those of its parents that were not made yet."""
    known = set(made)
    return tuple(each for each in (*parents(point), point) if each not in known)
