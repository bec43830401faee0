"""``edgevit bench``: latency and memory of artifacts on this machine or a board."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import board_options, options, phone_options
from edgevit.cli.bench_fleet import FleetBench, bench_fleet
from edgevit.cli.board_options import clean_boards, machine_of
from edgevit.errors import CheckFailed, UsageError

_LONGEST_SECONDS = 86_400.0
"""For --sustained: a day."""


def bench(
    artifacts: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ARTIFACT...", help=".onnx, .xml or .tflite files.", show_default=False),
    ] = None,
    threads: options.Threads = None,
    precision: options.Precision = "fastest",
    min_runs: Annotated[
        int | None,
        typer.Option(
            min=50,
            rich_help_panel=options.MEASUREMENT,
            help="One file: at least that many timed runs; 50 when not given.",
        ),
    ] = None,
    min_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            rich_help_panel=options.MEASUREMENT,
            help="One file: at least that many seconds of timed runs; 2 when not given.",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=options.MEASUREMENT,
            help="Images of one run, for throughput; the file has to take that many.",
        ),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            rich_help_panel=options.MEASUREMENT,
            help="One file: decoding, resizing and the model apart, of a folder, an .npz, digits, or generated, a JPEG of"
            " 500 x 375 pixels.",
            show_default=False,
        ),
    ] = None,
    tiles: options.Tiles = None,
    sustained: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            rich_help_panel=options.MEASUREMENT,
            help="One file: run that long, such as 60s or 10min, and show images per second and how the latency changes.",
        ),
    ] = None,
    op_times: Annotated[
        bool,
        typer.Option(
            "--op-times",
            rich_help_panel=options.MEASUREMENT,
            help="One file: the time of each op, by the runtime's own profiler.",
        ),
    ] = False,
    layers: options.Layers = False,
    plot: options.Plot = None,
    device: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.OUTPUT,
            help="With --layers: name or file of this machine's device, whose peak rates the roofline shows.",
            show_default=False,
        ),
    ] = None,
    wide: options.WideLayers = False,
    require_stable: Annotated[
        bool,
        typer.Option(
            "--require-stable",
            rich_help_panel=options.MEASUREMENT,
            help="Exit 1 if other work disturbed the measurement, or its conditions changed: throttled, the clock by more"
            " than 5 %, other processes on more than half a core.",
        ),
    ] = False,
    on: board_options.On = None,
    fleet: board_options.Fleet = None,
    python: board_options.Python = None,
    wait: board_options.Wait = None,
    clean: board_options.Clean = False,
    record: board_options.Record = False,
    runtime: phone_options.Runtime = None,
    benchmark_model: phone_options.BenchmarkModel = None,
    delegate: phone_options.Delegate = None,
    as_json: options.Json = False,
) -> None:
    """Measure latency and memory of artifacts, or compare them.

    Several files are timed alternately, in rounds, each in a fresh process in an order that changes. Speed-ups are
    medians of the ratios of the same rounds, with 95 % intervals; files whose
    ratio may be 1 are tied.

    \b
    Examples:
      edgevit bench model.tflite --threads 4
      edgevit bench a.onnx b.onnx c.tflite --require-stable
      edgevit bench model.onnx --sustained 10min
      edgevit bench model.onnx --pipeline photos/
      edgevit bench model.onnx --op-times
      edgevit bench model.onnx --layers --plot pictures
      edgevit bench model.tflite --on pi@raspberrypi.local
      edgevit bench model.tflite --fleet fleet.toml
      edgevit bench model.onnx --on user@jetson --runtime tensorrt
      edgevit bench model.tflite --on adb:SERIAL --benchmark-model android_aarch64_benchmark_model
    """
    from edgevit.cli import bench_ways, terminal
    from edgevit.cli.bench_checks import Given, check_together
    from edgevit.commands import record as record_command
    from edgevit.spec.spec import MeasureSpec
    from edgevit.spec.toml_files import validate

    serial = phone_options.phone_serial(on)
    if serial is None:
        phone_options.check_no_phone(benchmark_model, delegate)
    boards = () if serial is not None else board_options.asked_boards(on, fleet, python, wait, clean=clean)
    if clean:
        options.refuse_with("--clean", {"ARTIFACT": artifacts}, "it only removes what is kept on the board")
        if serial is not None:
            phone_options.clean_phone(serial, as_json=as_json)
        else:
            clean_boards(boards, as_json=as_json)
        return
    if not artifacts:
        raise UsageError("missing argument 'ARTIFACT...'", "name artifacts; edgevit bench --help shows more")
    options.check_choice("precision", precision, options.PRECISIONS)
    seconds = None if sustained is None else parse_seconds(sustained)
    given = Given(
        artifacts=tuple(artifacts),
        ways={
            "--pipeline": pipeline is not None,
            "--sustained": seconds is not None,
            "--op-times": op_times,
            "--layers": layers,
        },
        how_long={"--min-runs": min_runs is not None, "--min-seconds": min_seconds is not None},
        threads=threads,
        batch=batch,
        record=record,
        require_stable=require_stable,
        serial=serial,
        boards=len(boards),
        fleet=fleet,
        python=python,
        wait=wait,
        runtime=runtime,
    )
    check_together(given)
    options.check_layers(layers, plot, wide)
    if tiles is not None and pipeline is None:
        raise UsageError(
            "--tiles is for --pipeline, which times whole images", "add --pipeline IMAGES, or leave it out"
        )
    if device is not None and not layers:
        raise UsageError("--device is for --layers", "add it, or leave out --device")
    if record:
        record_command.check_recordable(artifacts[0])
    asked = options.nested(threads=threads, min_runs=min_runs, min_seconds=min_seconds)
    settings = validate(MeasureSpec, {"min_seconds": 2.0, **asked}, "command line")
    if given.is_several_boards:
        asked_there = FleetBench(artifacts, precision, settings, batch, seconds)
        bench_fleet(boards, asked_there, require_stable=require_stable, as_json=as_json)
        return
    if serial is not None:
        from edgevit.commands.bench_phone import AskedPhone

        phone = AskedPhone(serial, benchmark_model, delegate or "cpu", precision)
        output = phone_options.Output(as_json=as_json, require_stable=require_stable, record=record)
        phone_options.bench_phone(phone, artifacts, settings, output)
        return
    run_there = list(artifacts)
    way: bench_ways.Way
    if runtime is not None:
        from edgevit.commands.bench_tensorrt import check_for_tensorrt

        check_for_tensorrt(artifacts[0], precision)
        way, run_there = bench_ways.with_tensorrt, []
    elif len(artifacts) > 1:
        way = bench_ways.several_files
    elif seconds is not None:
        way = bench_ways.sustained(seconds)
    elif op_times:
        way = bench_ways.op_times
    elif layers:
        way = bench_ways.layers(device, plot, wide=wide)
    elif pipeline is not None:
        way = bench_ways.image_pipeline(pipeline, options.with_tiles(options.preprocessing(), tiles))
    else:
        way = bench_ways.one_file
    question = bench_ways.Question(artifacts, precision, settings, batch, as_json)
    board = boards[0].spec if boards else None
    with terminal.make_progress() as progress, machine_of(board, run_there, settings, progress) as machine:
        found = way(machine, question, progress)
    document, recorded = found.document, ""
    if record and found.measurement is not None:
        stored = record_command.record_measurement(artifacts[0], found.measurement)
        document, recorded = (
            {**document, "recorded": str(stored)},
            f"recorded in {stored}, as {found.measurement.device}",
        )
    if as_json:
        terminal.print_json(document)
    else:
        found.show()
        if recorded:
            terminal.print_line(recorded)
    if require_stable and found.unstable:
        raise CheckFailed(f"the measurement is unstable: {found.unstable}", "measure again on a quiet machine")


def parse_seconds(text: str) -> float:
    """Returns the seconds in "60s", "2m", "10min" or "60".

    Raises:
        UsageError: it is none of these, or less than two seconds.
    """
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(s|min|m|)", text, re.ASCII)
    seconds = float(found[1]) * (60 if found[2].startswith("m") else 1) if found else 0.0
    if not 2 <= seconds <= _LONGEST_SECONDS:
        raise UsageError(f"--sustained {text!r} is not a time of 2 s to a day", "such as 60s or 10min")
    return seconds
