"""An interrupt ends a search soon, whatever it is doing; tried in processes of its own, which it may end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from edgevit.search.interrupt import ends_soon_after_interrupt

_INTERRUPTED = """
import signal, sys, time
from edgevit.search.interrupt import ends_soon_after_interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)
done = []
try:
    with ends_soon_after_interrupt(lambda: done.append("saved"), lambda code: done.append(int(code)), 0.05):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            time.sleep(float(sys.argv[1]))
except KeyboardInterrupt:
    done.append("interrupted")
time.sleep(0.15)
print(done)
"""


def _interrupted(seconds: float) -> str:
    """What was done where a library goes on for so long after the interrupt."""
    command = [sys.executable, "-c", _INTERRUPTED, str(seconds)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_what_cannot_be_interrupted_is_ended_after_what_there_is_was_saved() -> None:
    assert _interrupted(0.3) == "['saved', 130, 'interrupted']"


def test_what_ends_by_itself_is_left_alone() -> None:
    assert _interrupted(0.0) == "['interrupted']"


def test_the_handler_before_is_there_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ends_soon_after_interrupt(lambda: None):
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_done_in_another_thread() -> None:
    """Only the main thread of a process gets signals."""
    seen = list[object]()

    def look() -> None:
        with ends_soon_after_interrupt(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
