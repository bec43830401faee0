"""``edgevit devices``: lists, shows or calibrates the devices that latency and memory can be predicted for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from edgevit.cli import board_options, options
from edgevit.cli.strict_command import StrictCommand

_REMARK = r" \(|, | at "
"""Begins what of a title does not fit 80 columns: products, a power mode, a clock; ``show`` has it."""

devices = typer.Typer(
    help="""List or show the known devices, or calibrate this one.

    Latency and memory can be predicted for them.

    \b
    Examples:
      edgevit devices
      edgevit devices show raspberry-pi-5
      edgevit devices calibrate
      edgevit devices compare my-host.toml measured.json
      edgevit devices validate
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
    """List the devices, with their compute units.

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
    rows = [(d.name, ", ".join(unit.name for unit in d.units), re.split(_REMARK, d.title)[0]) for d in found]
    terminal.print_table(("device", "units", "title"), rows)


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


@devices.command("calibrate", cls=StrictCommand)
def calibrate_devices(
    out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=options.OUTPUT,
            help="Device file to write; my-host.toml when not given, with --on my-board.toml.",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            min=0.1, max=60, rich_help_panel=options.CHOICE, help="Most time that the timing takes, in all runtimes."
        ),
    ] = 5.0,
    runtimes: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Formats or runtimes, such as onnx,tflite; all that are installed when not given.",
            show_default=False,
        ),
    ] = None,
    threads: options.Threads = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            rich_help_panel=options.OUTPUT,
            help="Replace the file, and calibrate even a busy machine; the file then says so.",
        ),
    ] = False,
    on: board_options.On = None,
    python: board_options.Python = None,
    wait: board_options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Time small networks, and write a device file of this host.

    With --on, of a board.

    Every time is divided by that of a reference network in the same rounds, since the clock of a machine drifts. No PyTorch is needed.

    \b
    Examples:
      edgevit devices calibrate
      edgevit devices calibrate --out my-host.toml --runtimes onnx,tflite --threads 2
      edgevit devices calibrate --on pi@raspberrypi.local --out my-pi.toml
      edgevit profile model.onnx --device my-host.toml
    """
    from edgevit.cli import terminal
    from edgevit.commands.calibrate import HostCalibration, calibrate_machine, check_calibration
    from edgevit.spec.input_file import expand_user
    from edgevit.spec.spec import MeasureSpec

    board = board_options.one_board(on, python, wait)
    asked = HostCalibration(
        out=expand_user(str(out or ("my-board.toml" if board else "my-host.toml"))),
        runtimes=tuple(options.split(runtimes) or ()),
        seconds=60 * minutes,
        threads=threads or 1,
        force=force,
    )
    backends, settings = check_calibration(asked), MeasureSpec(threads=asked.threads)
    with (
        terminal.make_progress() as progress,
        board_options.machine_with(board, backends, settings, progress, need_all=bool(asked.runtimes)) as machine,
    ):
        device = calibrate_machine(asked, machine, progress)
    found = device.units[0].calibrations
    if as_json:
        terminal.print_json(
            {"device": str(asked.out), "calibrations": [each.model_dump(mode="json") for each in found]}
        )
        return
    rows = [
        (each.runtime, each.runtime_version, str(each.networks), f"{each.reference_ms:.2f}", f"{each.reference_drift:.0%}", f"{each.median_error:.1%}")
        for each in found
    ]  # fmt: skip
    terminal.print_table(
        ("runtime", "version", "networks", "reference ms", "its drift", "median error of the left out"), rows
    )
    terminal.print_line(f"wrote {asked.out}: edgevit profile ARTIFACT --device {asked.out}")


@devices.command("compare", cls=StrictCommand)
def compare_devices(
    device: Annotated[
        str, typer.Argument(metavar="DEVICE", help="Name of a device, or its TOML file.", show_default=False)
    ],
    measured: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURED",
            help="What was measured there: the folder of a run, what `edgevit bench FILE --json` wrote, or FILE=12.3ms.",
            show_default=False,
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Show predictions beside what was measured.

    Each artifact is predicted without its measurement: p50 with its 80 % interval beside the measured p50, and whether that is inside.
    A measurement of another machine, or a disturbed one, is refused.

    \b
    Examples:
      edgevit devices compare raspberry-pi-5 measured.json
      edgevit devices compare my-host.toml run model.tflite=12.3ms
    """
    from edgevit.cli import terminal
    from edgevit.cli.render_device_comparison import print_device_comparison
    from edgevit.commands.device_comparison import compare_with_measured
    from edgevit.results.document import to_document

    with terminal.make_progress() as progress:
        found = compare_with_measured(device, measured, progress)
    if as_json:
        terminal.print_json(to_document(found))
    else:
        print_device_comparison(found)


@devices.command("validate", cls=StrictCommand)
def validate_devices(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[ROWS.csv]",
            help="Measurements with the columns of the carried table, which is taken when not given.",
            show_default=False,
        ),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            metavar="WHAT",
            help="Of the carried table: graph (the default), graph-on-device, device, or graph-and-session.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        int,
        typer.Option(rich_help_panel=options.CHOICE, help="Fewest rows of a device and unit that is shown."),
    ] = 20,
    as_json: options.Json = False,
) -> None:
    """Show how far off predictions of measurements are.

    Rows of the carried table are predicted by a fit to rows of other graphs, those of another table by the shipped coefficients. Exit 0, or 1 if more than 3 % of the rows cannot be predicted.

    \b
    Examples:
      edgevit devices validate
      edgevit devices validate --leave-out device
      edgevit devices validate rows.csv --json
    """
    from edgevit.cli import terminal
    from edgevit.cli.render_validation import print_validation
    from edgevit.commands.devices import validate_carried, validate_table
    from edgevit.devices.cross_validation import LEFT_OUT
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    choices = {left_out.replace(" ", "-"): left_out for left_out in LEFT_OUT}
    if leave_out is not None:
        options.check_choice("--leave-out", leave_out, tuple(choices))
        options.refuse_with("--leave-out", {"ROWS.csv": table}, "it is for the carried table")
    with terminal.make_progress() as progress:
        if table is not None:
            found = validate_table(table, progress.stage)
        else:
            found = validate_carried(choices[leave_out or "graph"], progress.stage)
    if as_json:
        terminal.print_json(to_document(found))
    else:
        print_validation(found, rows)
    raise typer.Exit(ExitCode.DONE if found.mapped_share >= 0.97 else ExitCode.CHECK_FAILED)


@devices.command("fit", cls=StrictCommand)
def fit_devices(
    out: Annotated[
        Path,
        typer.Option(
            rich_help_panel=options.OUTPUT,
            metavar="FOLDER",
            help="For coefficients.npz and validation.json.",
            show_default=False,
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Fit the cost model to the carried measurements.

    For developers: with the folder of the package's evidence, the coefficients that edgevit uses are replaced.

    \b
    Examples:
      edgevit devices fit --out fitted
      edgevit devices fit --out edgevit/devices/evidence
    """
    from edgevit.cli import terminal
    from edgevit.cli.render_validation import print_validation
    from edgevit.commands.devices import fit_devices as fit
    from edgevit.devices.coefficients import SHIPPED
    from edgevit.results.document import to_document

    with terminal.make_progress() as progress:
        found = fit(progress.stage, out)
    if as_json:
        terminal.print_json(to_document(found))
        return
    print_validation(found, 20)
    terminal.print_line(f"fitted to {len(found.predictions)} measurements: {out / SHIPPED.name}")


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
