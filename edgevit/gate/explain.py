"""Tells in words what the limits of a budget ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgevit.gate.budget import Budget, PlacedLimit
from edgevit.gate.limits import Difference, Limit
from edgevit.gate.metrics import METRICS
from edgevit.gate.values import value_text
from edgevit.gate.verdict import Check, Unit, Verdict
from edgevit.units import points


@dataclass(frozen=True)
class ExplainedLimit:
    """One limit in words."""

    path: str
    """Its place in the budget."""
    text: str
    """What it asks for."""
    found: tuple[Check, ...] = ()
    """What it comes to for a run, where one was given."""


def explain_budget(budget: Budget, verdicts: tuple[Verdict, ...] = ()) -> tuple[ExplainedLimit, ...]:
    """Returns every limit that is on, in words.

    Args:
        budget: The limits.
        verdicts: Of a run, by this budget.
    """
    checks = [check for verdict in verdicts for check in verdict.checks]
    found = []
    for placed, whose in _limits(budget):
        of_limit = tuple(check for check in checks if check.key == placed.path)
        found.append(ExplainedLimit(placed.path, sentence_of(placed, whose), of_limit))
    return tuple(found)


def sentence_of(placed: PlacedLimit, whose: str) -> str:
    """Returns what a limit asks for, as one sentence.

    Args:
        placed: The limit.
        whose: Of which artifacts, such as "the chosen artifact".
    """
    metric, limit = METRICS[placed.key], placed.limit
    device = f" on {placed.device}" if placed.device else ""
    cpu = f" with a processor {placed.cpu}" if placed.cpu else ""
    asked = " and ".join(_bounds(metric.unit, limit))
    ending = "the gate fails otherwise" if limit.level == "error" else "otherwise the gate only warns"
    how = "the value alone counts" if limit.by == "value" else "with its whole 95 % interval, where it has one"
    source = "; a prediction is no answer" if limit.source == "measured" else ""
    return f"{metric.meaning} of {whose}{device}{cpu} has to be {asked}, {how}{source}; {ending}"


def _limits(budget: Budget) -> Iterator[tuple[PlacedLimit, str]]:
    yield from ((placed, "the chosen artifact") for placed in budget.placed())
    for pattern in budget.artifacts:
        whose = f"every artifact that {pattern!r} matches" if set(pattern) & set("*?[") else f"the artifact {pattern}"
        yield from ((placed, whose) for placed in budget.placed_for(pattern))


def _bounds(unit: Unit, limit: Limit) -> Iterator[str]:
    if limit.max is not None:
        yield f"at most {value_text(unit, limit.max)}"
    if limit.min is not None:
        yield f"at least {value_text(unit, limit.min)}"
    if limit.max_increase is not None:
        yield f"at most {_difference(unit, limit.max_increase)} more than in the baseline run"
    if limit.max_decrease is not None:
        yield f"at most {_difference(unit, limit.max_decrease)} less than in the baseline run"


def _difference(unit: Unit, difference: Difference) -> str:
    if difference.relative:
        return f"{100 * difference.amount:g} %"
    return points(100 * difference.amount) if unit == "share" else value_text(unit, difference.amount)
