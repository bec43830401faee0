"""``edgevit devices``: lists or shows the devices that latency and memory can be predicted for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

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
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_devices()


@devices.command("list")
def list_devices() -> None:
    """List the devices.

    \b
    Example:
      edgevit devices list
    """
    from edgevit.cli import terminal
    from edgevit.devices.device import load_device
    from edgevit.spec.toml_files import names

    found = [load_device(name) for name in names("devices")]
    rows = [(d.name, d.kind, ", ".join(unit.name for unit in d.units), d.title) for d in found]
    terminal.print_table(("device", "kind", "units", "title"), rows)


@devices.command("show")
def show_device(
    name: Annotated[str, typer.Argument(help="A shipped device, or a .toml file.", show_default=False)],
) -> None:
    """Print every fact that is known of a device, one per line.

    \b
    Example:
      edgevit devices show raspberry-pi-5
    """
    from edgevit.cli import terminal
    from edgevit.devices.device import load_device

    for path, value in _leaves(load_device(name).model_dump(mode="json"), ""):
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
