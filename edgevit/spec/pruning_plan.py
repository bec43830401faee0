"""Pruning plans: how much of which units leaves a model, as users write it: ``mlp=0.25,heads=4``."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final, Literal

from edgevit.errors import UsageError, unknown_name

AUTO: Final = "auto"
"""Means the most that keeps the drop allowed, of several amounts."""
NONE: Final = "none"
EXAMPLES = "such as mlp=0.25, heads=4, channels=0.2, mlp=0.25,heads=4, macs=0.8, auto, or none"
_MOST_SHARE = 0.5
_NUMBER = "[0-9]{1,4}(?:[.][0-9]{1,6})?"


@dataclass(frozen=True)
class PruningPlan:
    """What leaves; at least one of them."""

    mlp: float | None = None
    """Share of the hidden units of all MLPs, each of which gives as much as costs least; 0 < share <= 0.5."""
    heads: int | None = None
    """Attention heads in all."""
    channels: float | None = None
    """Share of the MACs of all inverted residuals, by their expanded channels; 0 < share <= 0.5."""
    macs: float | None = None
    """Share of the MACs of a plain vision transformer that stays, 0.5 <= share < 1: depth, heads, MLPs, width and patch size are
    chosen together. Alone."""

    def __str__(self) -> str:
        return ",".join(f"{name}={value:g}" for name, value in self._given())

    @property
    def slug(self) -> str:
        """The plan as a part of a candidate id or file name."""
        return "-".join(("prune", *(f"{name}-{value:g}" for name, value in self._given())))

    def _given(self) -> list[tuple[str, float]]:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [(name, value) for name, value in values if value is not None]


def parse_pruning(text: str) -> PruningPlan | Literal["auto"] | None:
    """Parses what ``--prune`` says.

    Returns:
        The plan, "auto", or None for "none".

    Raises:
        UsageError: it is none of them, a number is beyond its range, or one is given twice.
    """
    if text == NONE:
        return None
    if text == AUTO:
        return AUTO
    known, given = tuple(field.name for field in fields(PruningPlan)), dict[str, float]()
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        if name not in known:
            raise unknown_name("what to prune", name, (*known, AUTO, NONE))
        if not equals or not re.fullmatch(_NUMBER, number, re.ASCII):
            raise UsageError(f"--prune {text!r}: {name} needs a number, not {number!r}", EXAMPLES)
        if name in given:
            raise UsageError(f"--prune {text!r}: {name} is given twice", "give it once")
        given[name] = _checked(name, float(number), text)
    if "macs" in given and len(given) > 1:
        raise UsageError(f"--prune {text!r}: macs chooses all there is together", "give it alone")
    return PruningPlan(**given)  # type: ignore[arg-type]


def _checked(name: str, value: float, text: str) -> float:
    if name == "heads":
        if value != int(value) or value < 1:
            raise UsageError(f"--prune {text!r}: heads is how many leave in all, 1 or more", EXAMPLES)
        return int(value)
    if name == "macs":
        if not _MOST_SHARE <= value < 1:
            raise UsageError(f"--prune {text!r}: macs is the share that stays, from {_MOST_SHARE:g}, below 1", EXAMPLES)
        return value
    if not 0 < value <= _MOST_SHARE:
        raise UsageError(f"--prune {text!r}: {name} is a share above 0, up to {_MOST_SHARE:g}", EXAMPLES)
    return value
