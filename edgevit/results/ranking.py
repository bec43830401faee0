"""The order of candidates by speed on this host or a board, from what was timed in the same rounds; and which one a user means.

Pure: nothing is run, read or written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from statistics import median

from edgevit.errors import UsageError, unknown_name
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, RoundLatency
from edgevit.results.statistics import Ratio, paired_ratio


def compare_speed(candidate: Candidate, other: Candidate, device: str = HOST) -> Ratio | None:
    """Returns how many times faster a candidate is than another one in the same rounds; None unless both were in them.

    Args:
        candidate: The one.
        other: The other.
        device: "host", or the name of a board.
    """
    own, others = candidate.latency_on(device), other.latency_on(device)
    return None if own is None or others is None else paired_ratio(others.bursts_ms, own.bursts_ms)


def fastest_first(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Sorts candidates by speed on this host.

    First come those of the final round: each by the number of others that it is faster than, by the median of their
    paired ratios, so that the order agrees with the ratios as far as these agree with each other (Copeland's method).
    Then those with a first, single measurement, by their medians; then those that were not measured, as they were given.

    Args:
        candidates: Of one run.
    """
    given = tuple(candidates)
    measured = [candidate for candidate in given if candidate.latency is None and candidate.p50_ms is not None]
    return (
        *fastest_on(given, HOST),
        *sorted(measured, key=lambda candidate: (candidate.p50_ms, candidate.id)),
        *(candidate for candidate in given if candidate.p50_ms is None),
    )


def fastest_on(candidates: Iterable[Candidate], device: str) -> tuple[Candidate, ...]:
    """Sorts those that were in the rounds on this host or on a board by their speed there; see :func:`fastest_first`.

    Args:
        candidates: Of one run; those that had no part in the rounds are left out.
        device: "host", or the name of a board.
    """
    timed = {each.id: (each, latency) for each in candidates if (latency := each.latency_on(device))}
    wins = {name: sum(_is_faster(own, other) for _, other in timed.values()) for name, (_, own) in timed.items()}
    ranked = sorted(timed.values(), key=lambda pair: (-wins[pair[0].id], pair[1].p50_ms, pair[0].id))
    return tuple(candidate for candidate, _ in ranked)


def find_candidate(candidates: Iterable[Candidate], named: str) -> Candidate:
    """Returns the candidate that a user means.

    Args:
        candidates: Of one run.
        named: Its id, or its rank among :func:`fastest_first`, counted from 1.

    Raises:
        UsageError: there is none; the nearest is named.
    """
    ranked = fastest_first(candidates)
    by_id = {candidate.id: candidate for candidate in ranked}
    if named in by_id:
        return by_id[named]
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", named) or not ranked:
        raise unknown_name("candidate", named, by_id)
    rank = int(named)
    if 1 <= rank <= len(ranked):
        return ranked[rank - 1]
    nearest = min(max(rank, 1), len(ranked))
    raise UsageError(
        f"unknown candidate: there is no rank {rank}",
        f"did you mean {nearest}, {ranked[nearest - 1].id}? ranks are 1 to {len(ranked)}; `edgevit report RUN` shows them",
    )


def _is_faster(own: RoundLatency, other: RoundLatency) -> bool:
    return median(others / mine for others, mine in zip(other.bursts_ms, own.bursts_ms, strict=True)) > 1
