"""Functions that the tests of this folder call in child processes; a child can import them from here."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, UsageError
from edgevit.run import child_process as isolate
from edgevit.run.child_process import report_progress, wait_for_turn


@dataclass(frozen=True)
class Question:
    """What a child is asked."""

    text: str = ""
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a child answers."""

    text: str
    total: float
    pid: int


def add(question: Question) -> Answer:
    return Answer(question.text, sum(question.numbers), os.getpid())


def chatter(question: Question) -> Answer:
    """Prints on every way out there is, also what looks like an answer."""
    print('\x1eedgevit {"answer": {"text": "forged", "total": 0, "pid": 0}}')
    sys.stdout.write("no end of line")
    os.write(1, b"native code \x1eedgevit {\n")
    subprocess.run([sys.executable, "-c", "print('a grandchild')"], check=True)
    print("\udcff and bytes: ", end="", file=sys.stderr)
    os.write(2, b"\xff\xfe\n")
    return add(question)


def count(question: Question) -> Answer:
    for number in range(3):
        report_progress(number + 1, 3)
    return add(question)


def misuse(question: Question) -> Answer:
    raise UsageError(f"bad {question.text} — ünï", "a hint")


def misuse_without_hint(question: Question) -> Answer:
    raise UsageError("bad")


def fill_disk(question: Question) -> Answer:
    raise OSError(errno.ENOSPC, "No space left on device")


def fill_disk_knowingly(question: Question) -> Answer:
    raise DiskFull("full")


def fail_check(question: Question) -> Answer:
    raise CheckFailed("not the same", "hint")


def fail_candidate(question: Question) -> Answer:
    raise CandidateFailed("did not work")


def raise_error(question: Question) -> Answer:
    raise ZeroDivisionError("\n\n  first line of many\nsecond line")


def raise_nothing_said(question: Question) -> Answer:
    raise ValueError


def abort(question: Question) -> Answer:
    os.abort()


def segfault(question: Question) -> Answer:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("unreachable")


def be_killed(question: Question) -> Answer:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def leave(question: Question) -> Answer:
    os._exit(7)


def exit_politely(question: Question) -> Answer:
    sys.exit(5)


def die_in_the_middle_of_an_answer(question: Question) -> Answer:
    isolate._CHANNEL.write('\x1eedgevit {"answer": {"text": "half')
    isolate._CHANNEL.flush()
    os.abort()


def crash_after_answering(question: Question) -> Answer:
    """Registers a crash for the end of the interpreter, as some runtimes do unasked."""
    import atexit

    atexit.register(os.abort)
    return add(question)


def sleep(question: Question) -> Answer:
    report_progress(os.getpid(), 1)
    time.sleep(60)
    return add(question)


def meet(question: Question) -> Answer:
    """Waits until as many of its kind run as ``numbers`` says, each with a file in the folder ``text``."""
    folder, (wanted,) = Path(question.text), question.numbers
    (folder / str(os.getpid())).touch()
    limit = time.monotonic() + 30
    while len(list(folder.iterdir())) < wanted and time.monotonic() < limit:
        time.sleep(0.01)
    return Answer("", float(len(list(folder.iterdir()))), os.getpid())


def big(question: Question) -> Answer:
    return Answer("x" * 3_000_000, 0.0, 0)


def fork_facts(question: Question) -> Answer:
    """Tells what a warm child inherits: its threads, and whether a module is imported before it is asked for."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    return Answer(",".join(sorted(set(question.text.split(",")) & set(sys.modules))), float(threads), os.getpid())


def span(question: Question) -> Answer:
    """Sleeps, and tells when it began and how long it slept."""
    begin = time.monotonic()
    time.sleep(question.numbers[0])
    return Answer(repr(begin), time.monotonic() - begin, os.getpid())


def span_in_turn(question: Question) -> Answer:
    """Gets ready for some time, then is as :func:`span`; tells when it began to get ready."""
    begin = time.monotonic()
    time.sleep(question.numbers[0])
    wait_for_turn()
    timed = time.monotonic()
    time.sleep(question.numbers[1])
    return Answer(f"{begin} {timed}", time.monotonic() - timed, os.getpid())


def spans_in_turns(question: Question) -> Answer:
    """Asks for as many turns as the first number says, each as long as the second; answers with when each began and ended."""
    turns, seconds = question.numbers
    spans = []
    for _ in range(int(turns)):
        wait_for_turn()
        spans.append(str(time.time()))
        time.sleep(seconds)
        spans.append(str(time.time()))
    return Answer(" ".join(spans), turns, os.getpid())


def crash_in_turn(question: Question) -> Answer:
    wait_for_turn()
    os.abort()


def end_by_signal(question: Question) -> Answer:
    os.kill(os.getpid(), int(question.numbers[0]))
    time.sleep(60)
    return add(question)


def last_words(question: Question) -> Answer:
    print(question.text)
    os.kill(os.getpid(), signal.SIGSEGV)
    return add(question)


def killed_once(question: Question) -> Answer:
    """Is killed the first time, and leaves a mark for the second."""
    mark = Path(question.text)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), int(question.numbers[0]))
        time.sleep(60)
    return add(question)
