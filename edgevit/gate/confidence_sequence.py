"""A confidence sequence for the centre of symmetric values: intervals, one after each value, that all hold at once.

A test may look at it after every value and stop whenever it likes; the probability that any of the intervals ever misses the
centre is at most ``ERROR_RATE``. It needs no variance and no bound on the values, whose tails may be as heavy as they like:
each has to be symmetric about the centre, given those before it, and may have any spread. A comparison gets that by tossing a
coin for the roles of its two files in each block, see :mod:`edgevit.measure.blocks`.

The interval inverts a test by betting. Against the centre c one stakes, on each value x, a part s of one's wealth on x > c:
the wealth is multiplied by 1 + s tanh(k (x - c)), which is fair, for tanh is odd. Wealth that is fair exceeds 1 / p
with a probability of at most p, at any time (Ville 1939), and so does the mean over several scales k and stakes s.
Those c against which the wealth, or that of betting on x < c, ever came to 2 / ``ERROR_RATE`` are out.

The factor exp(k x) / cosh(k x) = 1 + tanh(k x) is that of the inequality of de la Peña, "A general class of exponential
inequalities for martingales and ratios", Annals of Probability 27 (1999), which exp(k x - k² x² / 2) does not exceed. Betting
on symmetry: Ramdas, Ruf, Larsson and Koolen, "Admissible anytime-valid sequential inference must rely on nonnegative
martingales" (2020), section 5. Confidence sequences: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 49 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgevit.results.measurement import Interval

ERROR_RATE = 0.01
"""Of all intervals of a sequence together, half of it on each side."""
SCALES = (50.0, 100.0, 200.0)
"""By which values are multiplied, so that distances of 2, 1 and 0.5 hundredths count almost in full."""
STAKES = ((1.0, 0.8), (0.6, 0.2))
"""Parts of the wealth, each with its weight: the first finds out fast, the second bears single values far off."""
LEAST_VALUES = 8
"""Before one end of an interval can be finite: less than that, all of them beyond c, make no wealth of 2 / ``ERROR_RATE``."""

EVERYTHING = Interval(-math.inf, math.inf)
"""The interval before the first value."""
_REACH = 0.2
"""Beyond the values, where all that a scale makes of a distance has come to 1."""
_EXACT = 1e-6


def narrowed(before: Interval, values: Sequence[float]) -> Interval:
    """Returns the interval after one more value.

    Args:
        before: The interval before the last value, ``EVERYTHING`` before the first.
        values: All values so far, at least one, in the order in which they were found: logarithms, or others of which
            hundredths matter.

    Returns:
        Part of ``before``; an end that is not known yet is infinite. An empty one, whose low end is above its high end, says
        that the values are not symmetric about any centre.
    """
    low = max(before.low, _lower_end(values))
    high = min(before.high, -_lower_end([-value for value in values]))
    return Interval(low, high)


def wealth(values: Sequence[float], centre: float) -> float:
    """Returns what bets on values above a centre have made of a wealth of 1, as the mean over all scales and stakes.

    Args:
        values: See :func:`narrowed`.
        centre: In the same unit.
    """
    total = 0.0
    for scale in SCALES:
        odds = [math.tanh(scale * (value - centre)) for value in values]
        total += sum(weight * math.prod(1 + stake * each for each in odds) for stake, weight in STAKES)
    return total / len(SCALES)


def _lower_end(values: Sequence[float]) -> float:
    """The largest centre that is out since the values are above it; minus infinity where there is none."""
    needed = 2 / ERROR_RATE
    out, within = min(values) - _REACH, max(values)
    if wealth(values, out) < needed:
        return -math.inf
    return _boundary(lambda centre: wealth(values, centre) >= needed, out, within)


def _boundary(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Bisects for the last number at which something holds that does at ``inside`` and not at ``outside``."""
    while outside - inside > _EXACT:
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside
