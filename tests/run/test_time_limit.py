"""A time limit that begins anew with every sign of progress."""

from __future__ import annotations

import threading
import time

import pytest

from edgevit.run.time_limit import TimeLimit


def test_it_calls_once_nothing_was_heard_for_so_long() -> None:
    called = threading.Event()
    limit = TimeLimit(0.01, called.set)
    limit.start()
    assert called.wait(30)
    assert limit.expired


def test_a_cancelled_one_does_not_call() -> None:
    limit = TimeLimit(1e300, lambda: pytest.fail("it called"))
    limit.start()
    limit.cancel()
    limit._thread.join(30)
    assert not limit._thread.is_alive() and not limit.expired


def test_progress_begins_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = TimeLimit(10, lambda: None)
    now[0] = 9.0
    limit.extend()
    now[0] = 18.0
    limit._ended.set()  # the watch returns at its first wait, which it comes to only with time left
    limit._watch()
    assert not limit.expired
    limit._ended.clear()
    now[0] = 19.0
    limit._watch()
    assert limit.expired
