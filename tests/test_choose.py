"""The choice: the fastest usable candidate."""

from __future__ import annotations

from factories import make_candidate, make_measurement
from hypothesis import given
from hypothesis import strategies as st

from edgevit.choose import choose
from edgevit.results import Candidate

A, B, C = "a/fp32/dense", "b/fp32/dense", "c/fp32/dense"


def test_nothing_to_choose_from() -> None:
    assert choose(()) is None
    unusable = (
        make_candidate(A, status="failed"), make_candidate(B, status="rejected"), make_candidate(C, p50_ms=None),
    )  # fmt: skip
    assert choose(unusable) is None


def test_the_fastest_usable_one() -> None:
    candidates = (
        make_candidate(A, p50_ms=3.0), make_candidate(B, p50_ms=2.0), make_candidate(C, p50_ms=1.0, status="rejected"),
    )  # fmt: skip
    assert choose(candidates) == B


def test_a_measurement_elsewhere_does_not_count() -> None:
    elsewhere = make_candidate(A, p50_ms=None, measurements=(make_measurement(0.1, device="raspberry-pi-5"),))
    assert choose((elsewhere,)) is None
    assert choose((elsewhere, make_candidate(B, p50_ms=9.0))) == B


candidates = st.lists(
    st.builds(
        lambda name, ms, status: make_candidate(f"{name}/fp32/dense", p50_ms=ms, status=status),
        st.sampled_from("abcdefgh"),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from(["ok", "ok", "rejected", "failed"]),
    ),
    unique_by=lambda candidate: candidate.id,
)


@given(candidates, st.randoms())
def test_the_order_does_not_matter_and_none_is_faster(found: list[Candidate], random: object) -> None:
    chosen = choose(tuple(found))
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(tuple(shuffled)) == chosen
    usable = {candidate.id: candidate.p50_ms for candidate in found if candidate.status == "ok"}
    assert (chosen is None) == (not usable)
    if chosen is not None:
        assert usable[chosen] == min(usable.values(), key=float)  # type: ignore[arg-type]
        assert chosen == min(name for name, ms in usable.items() if ms == usable[chosen])
