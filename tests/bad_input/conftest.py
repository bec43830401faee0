"""What runs the command lines of the corpus."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.bad_input.forks import Forks


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A process to fork commands from; skips where there is none."""
    if sys.platform != "linux":
        pytest.skip("commands are forked on Linux alone")
    with Forks() as server:
        yield server
