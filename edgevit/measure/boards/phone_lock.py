"""A lock on a phone: a folder, which only one can make, with its owner and a lease that ends by itself."""

from __future__ import annotations

import os
import shlex
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from edgevit.errors import CandidateFailed, UsageError

LEASE_SECONDS = 900
"""After this long without a sign of its owner, as after a crash or a cable that was pulled out, a lock counts no more."""

LOST = 97
"""Status of a shell whose lock was taken over."""

Script = Callable[[str], str]
"""Runs a script of the phone's shell and returns what it printed; raises CandidateFailed where the phone does not answer."""


@contextmanager
def held(run: Script, folder: str, name: str) -> Iterator[str]:
    """Holds the lock of a phone.

    Args:
        run: Runs a script there.
        folder: On the phone, for the lock; it is made.
        name: Of the phone, for people.

    Yields:
        A script of the phone's shell that renews the lease; it ends the shell with the status ``LOST`` where another process took
        the lock over.

    Raises:
        UsageError: another process holds it.
        CandidateFailed: the phone does not answer.
    """
    lock, owner = f"{folder}/lock", f"process {os.getpid()} on {socket.gethostname()} {uuid.uuid4().hex[:8]}"
    mine, sign = shlex.quote(owner), f"date +%s > {lock}/since"
    take = f"mkdir {lock} 2>/dev/null && echo {mine} > {lock}/owner && {sign}"
    stale = f"[ $(( $(date +%s) - $(cat {lock}/since 2>/dev/null || echo 0) )) -gt {LEASE_SECONDS} ]"
    said = run(
        f"mkdir -p {folder}; {take} || {{ {stale} && rm -rf {lock} && {take}; }}"
        f" || {{ echo held by $(cat {lock}/owner 2>/dev/null); }}"
    )
    if said.startswith("held by"):
        who = said.removeprefix("held by").rsplit(" ", 1)[0].strip() or "another process"
        raise UsageError(
            f"{who} measures on {name} just now",
            f"wait until it ends; a lock that was left behind ends by itself {LEASE_SECONDS // 60} minutes after its last use",
        )
    try:
        yield f'[ "$(cat {lock}/owner 2>/dev/null)" = {mine} ] || exit {LOST}; {sign}'
    finally:
        with suppress(CandidateFailed):  # where the phone is gone, the lease ends by itself
            run(f'if [ "$(cat {lock}/owner 2>/dev/null)" = {mine} ]; then rm -rf {lock}; fi')
