"""The order of candidates by speed on this host, from what was timed in the same rounds.

Pure: nothing is run, read or written.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from edgevit.results.candidate import Candidate
from edgevit.results.statistics import Ratio, paired_ratio


def compare_speed(candidate: Candidate, other: Candidate) -> Ratio | None:
    """Returns how many times faster a candidate is than another one in the same rounds; None unless both were in them."""
    if candidate.latency is None or other.latency is None:
        return None
    return paired_ratio(other.latency.bursts_ms, candidate.latency.bursts_ms)


def fastest_first(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Sorts candidates by speed on this host.

    First come those of the final round: each by the number of others that it is faster than, by the median of their
    paired ratios, so that the order agrees with the ratios as far as these agree with each other (Copeland's method).
    Then those with a first, single measurement, by their medians; then those that were not measured, as they were given.

    Args:
        candidates: Of one run.
    """
    given = tuple(candidates)
    timed = [candidate for candidate in given if candidate.latency]
    wins = {candidate.id: sum(_is_faster(candidate, other) for other in timed) for candidate in timed}
    measured = [candidate for candidate in given if candidate.latency is None and candidate.p50_ms is not None]
    return (
        *sorted(timed, key=lambda candidate: (-wins[candidate.id], candidate.p50_ms, candidate.id)),
        *sorted(measured, key=lambda candidate: (candidate.p50_ms, candidate.id)),
        *(candidate for candidate in given if candidate.p50_ms is None),
    )


def _is_faster(candidate: Candidate, other: Candidate) -> bool:
    assert candidate.latency is not None
    assert other.latency is not None
    pairs = zip(other.latency.bursts_ms, candidate.latency.bursts_ms, strict=True)
    return median(others / own for others, own in pairs) > 1
