"""``edgevit profiles``: lists or shows the shipped profiles."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

profiles = typer.Typer(
    help="""List or show the shipped profiles.

    `edgevit compress --profile NAME` applies one.

    \b
    Examples:
      edgevit profiles
      edgevit profiles show raspberry-pi-5
    """,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@profiles.callback()
def _default(context: typer.Context, as_json: options.Json = False) -> None:
    options.check_json_place(context.invoked_subcommand, as_json)
    if context.invoked_subcommand is None:
        list_profiles(as_json)


@profiles.command("list", cls=StrictCommand)
def list_profiles(as_json: options.Json = False) -> None:
    """List the profiles.

    \b
    Example:
      edgevit profiles list
    """
    from edgevit.cli import terminal
    from edgevit.spec.toml_files import find, names, read_toml

    rows = [(name, str(read_toml(find("profiles", name)).get("about", ""))) for name in names("profiles")]
    if as_json:
        terminal.print_json([{"name": name, "about": about} for name, about in rows])
        return
    terminal.print_table(("profile", "about"), rows)


@profiles.command("show", cls=StrictCommand)
def show_profile(
    name: Annotated[str, typer.Argument(help="A shipped profile, or a .toml file.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """Print a profile as TOML, ready to be changed.

    With --json, its keys and values.

    \b
    Example:
      edgevit profiles show raspberry-pi-5 > mine.toml
    """
    from edgevit.cli import terminal
    from edgevit.results.document import to_json
    from edgevit.spec.toml_files import find, read_toml

    path = find("profiles", name)
    document = read_toml(path)
    if as_json:
        terminal.print_json(json.loads(to_json(document)))  # dates as text
        return
    terminal.print_line(path.read_text(encoding="utf-8").rstrip("\n"))
