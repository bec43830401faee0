"""This machine as one to measure on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.machine import this_machine


def test_this_machine() -> None:
    machine = this_machine(2)
    assert (machine.name, machine.is_here, machine.host.threads) == ("host", True, 2)
    assert machine.host.cores == os.cpu_count()
    assert machine.send(Path("m.onnx")) == Path.cwd() / "m.onnx"


def test_too_many_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="more than this machine can use"):
        this_machine(100_000)
