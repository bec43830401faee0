"""``edgevit calibration``: makes, lists and checks calibration sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

if TYPE_CHECKING:
    from edgevit.commands.calibration import CalibrationSet

calibration = typer.Typer(
    help="""Make, list or check calibration sets.

    A calibration set is a small TOML file: which images of a source, and their digests; the images stay where they are.

    \b
    Examples:
      edgevit calibration make train/ --out calibration.toml --count 128
      edgevit calibration check calibration.toml
      edgevit calibration list
    """,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@calibration.callback()
def _default(context: typer.Context, as_json: options.Json = False) -> None:
    options.check_json_place(context.invoked_subcommand, as_json)
    if context.invoked_subcommand is None:
        list_calibrations(as_json)


@calibration.command("list", cls=StrictCommand)
def list_calibrations(as_json: options.Json = False) -> None:
    """List the calibration sets that come with edgevit.

    \b
    Example:
      edgevit calibration list
    """
    from edgevit.cli import terminal
    from edgevit.spec.toml_files import find, names, read_toml

    documents = {f"calibration:{name}": read_toml(find("calibration", name)) for name in names("calibration")}
    sets = [(name, len(each["ids"]), each["source"], each["about"]) for name, each in documents.items()]
    titles = ("name", "images", "source", "about")
    if as_json:
        terminal.print_json([dict(zip(titles, each, strict=True)) for each in sets])
        return
    terminal.print_table(titles, [tuple(map(str, each)) for each in sets], numeric=(1,))


@calibration.command("make", cls=StrictCommand)
def make(
    data: Annotated[str, typer.Argument(help="Images: a folder, an .npz or digits:train.", show_default=False)],
    out: Annotated[
        Path, typer.Option(rich_help_panel=options.IMAGES, help="The manifest to write, .toml.", show_default=False)
    ],
    count: Annotated[
        int, typer.Option(min=1, rich_help_panel=options.IMAGES, help="How many images, equally many of each class.")
    ] = 128,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=options.IMAGES, help="Of the choice.")] = 0,
    about: Annotated[
        str, typer.Option(rich_help_panel=options.IMAGES, help="One line that says what they are.")
    ] = "Calibration images",
    as_json: options.Json = False,
) -> None:
    """Choose images by a seed, and write which.

    Equally many of each class.

    \b
    Example:
      edgevit calibration make train/ --out calibration.toml --count 128
    """
    from edgevit.commands.calibration import make_calibration

    _print(str(out), make_calibration(data, out, count, seed, about), as_json)


@calibration.command("check", cls=StrictCommand)
def check(
    source: Annotated[
        str, typer.Argument(help="A manifest, calibration:NAME, or any source of images.", show_default=False)
    ],
    as_json: options.Json = False,
) -> None:
    """Test that the images are those of a manifest.

    Looks for reasons to doubt them, too; exit 1 if there are any.

    \b
    Example:
      edgevit calibration check calibration.toml
    """
    from edgevit.commands.calibration import check_calibration
    from edgevit.errors import ExitCode

    found = check_calibration(source)
    _print(source, found, as_json)
    if found.warnings:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _print(name: str, found: CalibrationSet, as_json: bool) -> None:
    from edgevit.cli import terminal
    from edgevit.results.document import to_document

    if as_json:
        terminal.print_json({"name": name, **to_document(found)})
        return
    classes = "without labels" if found.classes is None else f"of {found.classes} classes"
    terminal.print_line(f"{name}: {found.images} images {classes} from {found.source}")
    for warning in found.warnings:
        terminal.print_message(f"warning: {warning}")
