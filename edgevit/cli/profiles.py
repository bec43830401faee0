"""``edgevit profiles``: lists or shows the shipped profiles."""

from __future__ import annotations

from typing import Annotated

import typer

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
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_profiles()


@profiles.command("list")
def list_profiles() -> None:
    """List the profiles.

    \b
    Example:
      edgevit profiles list
    """
    from edgevit.cli import terminal
    from edgevit.spec.toml_files import find, names, read_toml

    rows = [(name, str(read_toml(find("profiles", name)).get("about", ""))) for name in names("profiles")]
    terminal.print_table(("profile", "about"), rows)


@profiles.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(help="A shipped profile, or a .toml file.", show_default=False)],
) -> None:
    """Print a profile as TOML, ready to be changed.

    \b
    Example:
      edgevit profiles show raspberry-pi-5 > mine.toml
    """
    from edgevit.cli import terminal
    from edgevit.spec.toml_files import find, read_toml

    path = find("profiles", name)
    read_toml(path)
    terminal.print_line(path.read_text(encoding="utf-8").rstrip("\n"))
