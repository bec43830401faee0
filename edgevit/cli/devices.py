"""``edgevit devices``: lists or shows the devices that latency and memory can be predicted for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

devices = typer.Typer(
    help="""List or show the known devices.

    Latency and memory can be predicted for them.

    \b
    Examples:
      edgevit devices
      edgevit devices show raspberry-pi-5
    """,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@devices.callback()
def _default(context: typer.Context, as_json: options.Json = False) -> None:
    options.check_json_place(context.invoked_subcommand, as_json)
    if context.invoked_subcommand is None:
        list_devices(as_json)


@devices.command("list", cls=StrictCommand)
def list_devices(as_json: options.Json = False) -> None:
    """List the devices.

    \b
    Example:
      edgevit devices list
    """
    from edgevit.cli import terminal
    from edgevit.devices.device import load_device
    from edgevit.spec.toml_files import names

    found = [load_device(name) for name in names("devices")]
    if as_json:
        kept = ("name", "kind", "title")
        terminal.print_json(
            [{**{key: getattr(d, key) for key in kept}, "units": [unit.name for unit in d.units]} for d in found]
        )
        return
    rows = [(d.name, d.kind, ", ".join(unit.name for unit in d.units), d.title) for d in found]
    terminal.print_table(("device", "kind", "units", "title"), rows)


@devices.command("show", cls=StrictCommand)
def show_device(
    name: Annotated[str, typer.Argument(help="A shipped device, or a .toml file.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """Print every fact that is known of a device, one per line.

    \b
    Example:
      edgevit devices show raspberry-pi-5
    """
    from edgevit.cli import terminal
    from edgevit.devices.device import load_device

    facts = load_device(name).model_dump(mode="json")
    if as_json:
        terminal.print_json(facts)
        return
    for path, value in _leaves(facts, ""):
        terminal.print_line(f"{path} = {value}")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields every value that is not a table, with its dotted path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}")
    else:
        yield path, value
