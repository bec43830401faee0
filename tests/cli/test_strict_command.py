"""What is refused before a command begins: options given twice, and empty values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import pytest
import typer

from edgevit.cli.strict_command import StrictCommand
from edgevit.errors import UsageError


def command(name: str, one: str = "", many: list[str] | None = None, flag: bool = False) -> None:
    """A command with each kind of parameter."""


@pytest.fixture
def parse() -> Callable[..., dict[str, object]]:
    app = typer.Typer(add_completion=False)
    app.command(cls=StrictCommand)(command)
    made = typer.main.get_command(app)

    def run(*arguments: str) -> dict[str, object]:
        with made.make_context("command", list(arguments)) as context:
            return context.params

    return run


def test_what_is_given_once_is_taken(parse: Callable[..., dict[str, object]]) -> None:
    expected = {"name": "a", "one": "b", "many": ["c", "d"], "flag": True}
    assert parse("a", "--one", "b", "--many", "c", "--many=d", "--flag") == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "--one", "b", "--one", "b"), "--one is given 2 times"),
        (("a", "--one=b", "--one", "c", "--one", "d"), "--one is given 3 times"),
        (("a", "--flag", "--flag"), "--flag is given 2 times"),
        (("",), "an argument is empty"),
        (("a", ""), "an argument is empty"),
        (("a", "--one", " "), "the value of --one is empty"),
        (("a", "--one="), "the value of --one is empty"),
        (("a", "--many", "c", "--many="), "the value of --many is empty"),
    ],
)
def test_the_rest_is_refused_with_a_next_step(
    arguments: tuple[str, ...], message: str, parse: Callable[..., dict[str, object]]
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*arguments)
    assert caught.value.message == message
    assert caught.value.hint


def grouped(
    plain: str = "", first: Annotated[str, typer.Option(rich_help_panel="Group", help="The first.")] = ""
) -> None:
    """A command with an option in a group."""


def test_help_shows_options_in_their_groups() -> None:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=StrictCommand)(grouped)
    made = typer.main.get_command(app)
    with made.make_context("grouped", []) as context:
        text = made.get_help(context)
    in_group, _, others = text.partition("\nGroup:\n")[2].partition("\nOptions:\n")
    assert "--first" in in_group
    assert "--plain" in others
    assert "--first" not in others
