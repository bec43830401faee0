"""Options of ``edgevit bench`` for phones, and for TensorRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import options
from edgevit.cli.board_options import BOARD
from edgevit.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from edgevit.commands.bench_phone import AskedPhone
    from edgevit.spec.spec import MeasureSpec

_PREFIX = "adb:"

Runtime = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=BOARD,
        help="tensorrt: build an engine of one ONNX file with trtexec, here or on the board, and time it there.",
        show_default=False,
    ),
]
BenchmarkModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=BOARD,
        help="With --on adb:SERIAL: LiteRT's benchmark_model for 64-bit Android.",
        show_default=False,
    ),
]
Delegate = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=BOARD,
        help="With --on adb:SERIAL: cpu, gpu, nnapi, or vendor:LIBRARY, a delegate of the phone's vendor; cpu when not given.",
        show_default=False,
    ),
]


def phone_serial(on: Sequence[str] | None) -> str | None:
    """Returns the serial number of a phone that is asked for; None where none is.

    Raises:
        UsageError: it is no serial number, or there are other boards beside it.
    """
    from edgevit.measure.boards.address import parse_address

    phones = [each for each in on or () if each.startswith(_PREFIX)]
    if not phones:
        return None
    if on is not None and len(on) > 1:
        raise UsageError(f"--on {phones[0]}: a phone is measured alone", "leave out the other --on")
    return parse_address(phones[0]).host


def check_runtime(runtime: str | None) -> None:
    """Refuses a runtime that is chosen by the format of the file.

    Raises:
        UsageError: it is not TensorRT.
    """
    if runtime not in (None, "tensorrt"):
        raise UsageError(
            f"--runtime {runtime!r} is not one", "tensorrt; without it, the format of the file says which runtime it is"
        )


def check_no_phone(benchmark_model: Path | None, delegate: str | None) -> None:
    """Refuses options that are for phones.

    Raises:
        UsageError: names those that are given.
    """
    given = {"--benchmark-model": benchmark_model is not None, "--delegate": delegate is not None}
    options.refuse_without("--on adb:SERIAL", given)


def check_for_phone(others: Mapping[str, object]) -> None:
    """Refuses options that have no effect on a phone.

    Args:
        others: By name, see :func:`edgevit.cli.options.refuse_with`.
    """
    options.refuse_with(
        "--on adb:SERIAL", others, "a phone runs LiteRT's benchmark_model, on whole inferences of one image"
    )


@dataclass(frozen=True)
class Output:
    """What to do with a measurement."""

    as_json: bool
    require_stable: bool
    """Whether an unstable one is an error."""
    record: bool
    """Whether to store it in the run of the file."""


def bench_phone(asked: AskedPhone, artifacts: Sequence[Path], settings: MeasureSpec, output: Output) -> None:
    """Measures files on a phone, and prints what was found.

    Args:
        asked: The phone, and how.
        artifacts: TFLite files.
        settings: Threads, and how long.
        output: What to do with what is found.

    Raises:
        CheckFailed: it is unstable.
    """
    from edgevit.cli import render_bench, terminal
    from edgevit.commands.bench_phone import bench_on_phone
    from edgevit.commands.record import record_measurement
    from edgevit.results.document import to_document

    with terminal.make_progress() as progress:
        found = bench_on_phone(asked, artifacts, settings, progress)
    stored = None
    if output.record and found.measurement is not None:
        stored = record_measurement(artifacts[0], found.measurement)
    shown = f"{asked.address} ({found.phone.title})"
    if output.as_json:
        facts = {"phone": to_document(found.phone), "sha256": found.sha256}
        if found.measurement is not None:
            measured = {"artifact": str(artifacts[0]), "measurement": to_document(found.measurement)}
        else:
            measured = {"comparison": to_document(found.comparison)}
        terminal.print_json(measured | facts | ({"recorded": str(stored)} if stored else {}))
    elif found.measurement is not None:
        render_bench.print_measurement(artifacts[0], found.measurement, shown)
    else:
        assert found.comparison is not None
        render_bench.print_comparison(found.comparison, shown)
    if stored and not output.as_json:
        terminal.print_line(f"recorded in {stored}, as {asked.address}")
    if output.require_stable and found.unstable:
        raise CheckFailed(f"the measurement is unstable: {found.unstable}", "let the phone cool, and measure again")


def clean_phone(serial: str, *, as_json: bool) -> None:
    """Removes what edgevit keeps on a phone, and says how much it was.

    Raises:
        UsageError: the phone cannot be used, or does not do what it is told.
    """
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.errors import CandidateFailed
    from edgevit.measure.boards import phone
    from edgevit.measure.boards.adb import Adb

    address = _PREFIX + serial
    try:
        size_bytes = phone.clean_phone(Adb(serial))
    except CandidateFailed as error:
        raise UsageError(f"{address}: {error.message}", error.hint) from error
    if as_json:
        terminal.print_json({"board": address, "folder": phone.FOLDER, "removed_bytes": size_bytes})
    elif size_bytes:
        terminal.print_line(f"removed {phone.FOLDER} on {address}: {units.size(size_bytes)}")
    else:
        terminal.print_line(f"nothing to remove on {address}: {phone.FOLDER} is not there")
