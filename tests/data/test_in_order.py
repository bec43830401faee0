"""Threads: results in the order of the items, few items ahead, errors in their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edgevit.data import in_order
from edgevit.data.in_order import cores, map_in_order


def test_results_come_in_the_order_of_the_items_though_a_later_one_is_ready_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_order, "cores", lambda: 2)
    second_is_done = threading.Event()

    def double(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(60)
        elif item == 1:
            second_is_done.set()
        return 2 * item

    assert list(map_in_order(double, range(100))) == [2 * item for item in range(100)]
    assert list(map_in_order(double, [])) == []


def test_items_are_taken_a_few_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_order, "cores", lambda: 2)
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = map_in_order(str, items())
    assert taken == []
    assert next(results) == "0"
    assert len(taken) == 2 * 4 + 1
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == 2 * 4 + 1


def test_an_error_is_raised_in_its_turn() -> None:
    results = map_in_order(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_there_is_a_core() -> None:
    assert cores() >= 1
