"""The minutes of a run are shared out by how much of them has passed."""

from __future__ import annotations

from edgevit.run.deadline import Deadline


def test_each_has_time_until_its_share_has_passed() -> None:
    now = [100.0]
    deadline = Deadline(10.0, lambda: now[0])
    assert deadline.has_time(0.5)
    now[0] += 299
    assert deadline.has_time(0.5)
    now[0] += 2
    assert not deadline.has_time(0.5)
    assert deadline.has_time(0.8)


def test_without_a_limit_there_is_always_time() -> None:
    now = [0.0]
    deadline = Deadline(None, lambda: now[0])
    now[0] += 1e9
    assert deadline.has_time(0.0)
