"""A function over batches, several at a time."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.over_batches import over_batches  # noqa: E402


def test_batches_come_back_in_order_and_without_gradients() -> None:
    weight = torch.ones(1, requires_grad=True)
    found = list(over_batches(lambda batch: batch * weight, [torch.full((2,), float(place)) for place in range(9)]))
    assert [int(each[0]) for each in found] == list(range(9))
    assert not any(each.requires_grad for each in found)


def test_whoever_stops_asking_leaves_the_rest_undone() -> None:
    seen: list[int] = []
    answers = over_batches(lambda place: seen.append(place) or place, range(1000))
    assert next(answers) == 0
    answers.close()
    assert len(seen) < 1000
