"""Whatever receives progress has the methods of the protocol; the default does nothing."""

from __future__ import annotations

import inspect

import pytest

from edgevit.cli.terminal import Bars, Lines
from edgevit.run.progress import Progress, Silent


@pytest.mark.parametrize("kind", [Silent, Lines, Bars])
def test_every_callback_has_the_methods_of_the_protocol(kind: type) -> None:
    methods = {name: member for name, member in vars(Progress).items() if inspect.isfunction(member) and name[0] != "_"}
    assert set(methods) == {"stage", "message"}
    for name, method in methods.items():
        assert inspect.signature(getattr(kind, name)) == inspect.signature(method)


def test_silent_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    progress: Progress = Silent()
    for done in range(3):
        progress.stage("measure", done, 2)
    progress.message("chosen: a")
    assert capfd.readouterr() == ("", "")
