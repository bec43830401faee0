"""The order of candidates by speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import UsageError
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST
from edgevit.results.ranking import compare_speed, fastest_first, fastest_on, find_candidate
from tests.factories import BOARD, make_board_run, make_candidate, make_latency, make_realistic_run


def timed(name: str, *bursts_ms: float) -> Candidate:
    return make_candidate(f"{name}/fp32", latency=make_latency(*bursts_ms))


def test_a_ratio_is_of_the_same_rounds() -> None:
    """Twice as fast in each round, while the host drifts more than that."""
    fast, slow = timed("a", 5.0, 20.0, 8.0), timed("b", 10.0, 40.0, 16.0)
    ratio = compare_speed(fast, slow)
    assert ratio is not None
    assert (ratio.median, ratio.interval.low, ratio.interval.high) == (2.0, 2.0, 2.0)
    assert compare_speed(fast, make_candidate("c/fp32")) is None
    assert compare_speed(make_candidate("c/fp32"), fast) is None


def test_the_order_is_that_of_the_ratios_not_of_the_medians() -> None:
    """Faster in two of three rounds, with the higher median of its own."""
    often, seldom = timed("a", 9.0, 12.0, 30.0), timed("b", 10.0, 13.0, 11.0)
    assert often.p50_ms == 12.0
    assert seldom.p50_ms == 11.0
    assert fastest_first((seldom, often)) == (often, seldom)


def test_then_come_single_measurements_then_what_was_not_measured() -> None:
    none, single = make_candidate("a/fp32", p50_ms=None), make_candidate("b/fp32", p50_ms=1.0)
    faster, failed = make_candidate("c/fp32", p50_ms=0.5), make_candidate("d/fp32", p50_ms=None, status="failed")
    slow = timed("e", 99.0, 99.0, 99.0)
    assert fastest_first((none, single, slow, failed, faster)) == (slow, faster, single, none, failed)


rounds = st.lists(st.tuples(*(st.sampled_from([1.0, 2.0, 3.0, 4.0]) for _ in range(3))), min_size=2, max_size=5)


@given(rounds, st.randoms())
def test_the_order_in_which_they_are_given_does_not_matter(found: list[tuple[float, ...]], random: object) -> None:
    candidates = [timed(f"c{n}", *bursts) for n, bursts in enumerate(found)]
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fastest_first(shuffled) == fastest_first(candidates)


@given(rounds)
def test_what_is_faster_than_all_others_comes_first(found: list[tuple[float, ...]]) -> None:
    candidates = [timed(f"c{n}", *bursts) for n, bursts in enumerate(found)]
    for candidate in candidates:
        ratios = [compare_speed(candidate, other) for other in candidates if other is not candidate]
        if all(ratio is not None and ratio.median > 1 for ratio in ratios):
            assert fastest_first(candidates)[0] is candidate


def test_a_candidate_is_found_by_its_rank_or_its_id() -> None:
    run = make_realistic_run()
    ranked = fastest_first(run.candidates)
    assert [find_candidate(run.candidates, str(rank)) for rank in range(1, 11)] == list(ranked)
    assert find_candidate(run.candidates, "litert/fp32").id == "litert/fp32"


@pytest.mark.parametrize(
    ("named", "near"),
    [
        ("11", "10, openvino/dynamic_wi8_afp32"),
        ("0", "1, openvino/static_wi8_ai8"),
        ("-3", "1, "),
        ("litert/fp23", "litert/fp32"),
    ],
)
def test_the_nearest_candidate_is_named(named: str, near: str) -> None:
    with pytest.raises(UsageError) as told:
        find_candidate(make_realistic_run().candidates, named)
    assert told.value.hint is not None and f"did you mean {near}" in told.value.hint


def test_a_run_without_candidates_has_no_ranks() -> None:
    with pytest.raises(UsageError, match="unknown candidate: '1'"):
        find_candidate((), "1")


def test_on_a_board_the_order_is_that_of_the_rounds_there() -> None:
    run = make_board_run()
    assert [each.id for each in fastest_on(run.candidates, BOARD)] == ["litert/fp32", "openvino/static_wi8_ai8"]
    assert [each.id for each in fastest_on(run.candidates, HOST)][-1] == "litert/fp32"
    ratio = compare_speed(run.candidates[0], run.candidates[1], BOARD)
    assert ratio is not None and round(ratio.median, 2) == 1.33
    assert compare_speed(run.candidates[0], run.candidates[2], BOARD) is None
