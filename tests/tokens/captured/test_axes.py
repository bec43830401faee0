"""Axes of batch, tokens and numbers, and what reshapes make of them."""

from __future__ import annotations

import pytest

from edgevit.tokens.captured.axes import BATCH, TOKENS, Axes, Counts, Tokens, all_tokens, joined, of_size, token_axes

COUNTS = Counts(batch=2, tokens=17)
BEHIND = Tokens(1)


@pytest.mark.parametrize(
    ("before", "sizes", "after"),
    [
        (((BATCH,), (TOKENS,), (48,)), (2, 17, 3, 16), ((BATCH,), (TOKENS,), (3,), (16,))),
        (((BATCH,), (TOKENS,), (48,)), (34, 48), ((BATCH, TOKENS), (48,))),
        (((BATCH, TOKENS), (48,)), (2, 17, 48), ((BATCH,), (TOKENS,), (48,))),
        (((TOKENS,), (BATCH,), (48,)), (17, 6, 16), ((TOKENS,), (BATCH, 3), (16,))),
        (((BATCH, 3), (TOKENS,), (16,)), (2, 3, 17, 16), ((BATCH,), (3,), (TOKENS,), (16,))),
        (((BATCH,), (BEHIND,), (4,)), (2, 1, 64), ((BATCH,), (), (BEHIND, 4))),
        (((BATCH,), (), (48,)), (2, 48), ((BATCH,), (48,))),
        (((BATCH,), (6,), (8,)), (2, 48), ((BATCH,), (48,))),
    ],
)
def test_a_reshape_joins_and_cuts_axes(before: Axes, sizes: tuple[int, ...], after: Axes) -> None:
    assert COUNTS.regroup(before, sizes) == after
    assert tuple(map(COUNTS.size, after)) == sizes


@pytest.mark.parametrize(
    ("before", "sizes"),
    [
        (((BATCH,), (BEHIND,), (48,)), (2, 4, 4, 48)),
        (((BATCH,), (BEHIND,), (48,)), (8, 4, 48)),
        (((BATCH,), (5,)), (5, 2)),
        (((BATCH,), (6,)), (2, 4)),
    ],
)
def test_a_reshape_that_cuts_tokens_or_mixes_axes_is_none(before: Axes, sizes: tuple[int, ...]) -> None:
    assert COUNTS.regroup(before, sizes) is None


def test_lengths() -> None:
    assert (of_size(1), of_size(5)) == ((), (5,))
    assert joined((3,), (), (4, BATCH), (2,)) == (12, BATCH, 2)
    assert (all_tokens((BEHIND,)), all_tokens((BATCH, BEHIND)), all_tokens((17,))) == (BEHIND, None, None)
    assert token_axes(((BATCH,), (TOKENS,), (3,), (BATCH, BEHIND))) == (1, 3)
