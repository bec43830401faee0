"""The help of every command: ``-h``, options in groups, nothing cut at 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from edgevit.cli import app as app_module

WIDTH = 80


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for each, inner in getattr(command, "commands", {}).items():
        yield from walk(f"{name} {each}", inner)


COMMANDS = dict(walk("edgevit", typer.main.get_command(app_module.make_app())))
LEAVES = {name: command for name, command in COMMANDS.items() if not hasattr(command, "commands")}


def help_of(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    assert app_module.run([*name.split()[1:], "-h"]) == 0
    return capsys.readouterr().out.splitlines()


def is_example(line: str) -> bool:
    """Whether a line is of an example, which stands as it is typed."""
    return line.startswith("    ")


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_cut_at_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = help_of(name, monkeypatch, capsys)
    text = "\n".join(lines)
    assert [line for line in lines if len(line) > WIDTH and not is_example(line)] == []
    assert [line for line in lines if line.endswith("...") and not line.startswith("Usage:")] == []
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            for option in parameter.opts:
                assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), option


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_in_a_group(name: str) -> None:
    alone = [
        parameter.name
        for parameter in LEAVES[name].params
        if parameter.param_type_name == "option" and not getattr(parameter, "rich_help_panel", None)
    ]
    assert alone == []
