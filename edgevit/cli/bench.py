"""``edgevit bench``: latency and memory of artifacts on this machine or a board."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any

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
    from edgevit.cli import render_bench, render_layers, terminal
    from edgevit.commands import bench as command
    from edgevit.commands import record as record_command
    from edgevit.results.document import to_document
    from edgevit.results.machine_state import not_stable
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
    ways = {
        "--pipeline": pipeline is not None,
        "--sustained": sustained is not None,
        "--op-times": op_times,
        "--layers": layers,
    }
    phone_options.check_runtime(runtime)
    if record:
        if not boards and serial is None and runtime is None:
            raise UsageError(
                "--record has no effect without --on or --runtime", "a run has its own machine's measurements"
            )
        options.refuse_with(
            "--record",
            {"--sustained": sustained, "--batch": batch, "several files": len(artifacts) > 1},
            "it stores one latency",
        )
        record_command.check_recordable(artifacts[0])
    several = len(boards) > 1 or fleet is not None
    if several:
        options.refuse_with("several boards", {"--record": record, "--runtime": runtime}, "those are for one at a time")
    if serial is not None:
        elsewhere = ways | {
            "--fleet": fleet,
            "--python": python,
            "--wait": wait,
            "--batch": batch,
            "--runtime": runtime,
        }
        phone_options.check_for_phone(elsewhere)
    elif runtime is not None:
        elsewhere = ways | {"--threads": threads, "--batch": batch, "several files": len(artifacts) > 1}
        options.refuse_with("--runtime", elsewhere, "trtexec times whole inferences of one file on the GPU")
    elif boards:
        elsewhere = {name: given for name, given in ways.items() if name != "--sustained"}
        options.refuse_with("--on", elsewhere, "only whole inferences are timed on a board")
    _check_one_way([option for option, given in ways.items() if given], len(artifacts), batch is not None)
    how_long = {"--min-runs": min_runs is not None, "--min-seconds": min_seconds is not None}
    if sustained is not None:
        options.refuse_with("--sustained", how_long, "it says how long to run")
    options.check_layers(layers, plot, wide)
    if device is not None and not layers:
        raise UsageError("--device is for --layers", "add it, or leave out --device")
    if op_times or layers:
        way = "--op-times" if op_times else "--layers"
        options.refuse_with(way, {**how_long, "--require-stable": require_stable}, "it counts inferences")
    if len(artifacts) > 1:
        options.refuse_with("several files", how_long, "they are timed in rounds of bursts")
    asked = options.nested(threads=threads, min_runs=min_runs, min_seconds=min_seconds)
    settings = validate(MeasureSpec, {"min_seconds": 2.0, **asked}, "command line")
    if several:
        asked_there = FleetBench(artifacts, precision, settings, batch, seconds)
        bench_fleet(boards, asked_there, require_stable=require_stable, as_json=as_json)
        return
    board = boards[0].spec if boards else None
    artifact, *others = artifacts
    if serial is not None:
        from edgevit.commands.bench_phone import AskedPhone

        phone = AskedPhone(serial, benchmark_model, delegate or "cpu", precision)
        ways_out = phone_options.Output(as_json=as_json, require_stable=require_stable, record=record)
        phone_options.bench_phone(phone, artifacts, settings, ways_out)
        return
    document: dict[str, Any]
    need_python = artifacts
    if runtime is not None:
        from edgevit.commands.bench_tensorrt import check_for_tensorrt

        check_for_tensorrt(artifact, precision)
        need_python = []
    with terminal.make_progress() as progress, machine_of(board, need_python, settings, progress) as machine:
        if runtime is not None:
            from edgevit.commands.bench_tensorrt import bench_with_tensorrt

            measurement = bench_with_tensorrt(machine, artifact, precision, settings, progress)
            show = partial(render_bench.print_measurement, artifact, measurement, machine.shown)
            facts = command.machine_document(machine, artifacts, measurement.threads) if as_json else {}
            document = {"artifact": str(artifact), "measurement": to_document(measurement), **facts}
            unstable = not_stable(measurement.conditions.unstable, measurement.conditions.machine)
        elif others:
            comparison = command.compare_files(machine, artifacts, precision, settings, batch, progress)
            show = partial(render_bench.print_comparison, comparison, machine.shown)
            facts = command.machine_document(machine, artifacts, comparison.threads) if as_json else {}
            document = {"comparison": to_document(comparison), **facts}
            unstable = "; ".join(f"{file.artifact}: {why}" for file, why in comparison.not_stable)
        elif seconds is not None:
            long_run = command.sustain_file(machine, artifact, precision, settings, seconds, progress)
            show = partial(render_bench.print_sustained, artifact, long_run, machine.shown)
            document = {"artifact": str(artifact), "sustained": render_bench.sustained_document(long_run)}
            if not machine.is_here:
                document |= command.machine_document(machine, artifacts, long_run.threads)
            unstable = not_stable(long_run.unstable, long_run.machine)
        elif op_times:
            profile = command.profile_file(artifact, precision, settings, progress)
            show = partial(render_bench.print_op_times, artifact, profile)
            sums = {
                "sum_ms": profile.sum_ms,
                "families": [to_document(family) for family in profile.families],
                "ops": [to_document(op) for op in profile.ops],
            }
            document = {"artifact": str(artifact), "op_times": {**to_document(profile), **sums}}
            unstable = ""
        elif layers:
            from edgevit.commands.layers import check_pictures, draw, measure_file_layers

            check_pictures(plot)
            found = measure_file_layers(artifact, precision, settings, device, progress)
            pictures = draw(artifact.name, found, plot) if plot else ()
            show = partial(render_layers.show_measured, artifact, found, pictures, wide=wide)
            document = {"artifact": str(artifact), **render_layers.layer_times_document(found)}
            unstable = ""
        elif pipeline is not None:
            from edgevit.commands.image_pipeline import time_file_pipeline

            whole = time_file_pipeline(artifact, precision, settings, pipeline, progress)
            show = partial(render_bench.print_pipeline, artifact, whole)
            document = {"artifact": str(artifact), "pipeline": to_document(whole)}
            unstable = not_stable(whole.unstable, whole.machine)
        else:
            measurement = command.measure_file(machine, artifact, precision, settings, batch, progress)
            show = partial(render_bench.print_measurement, artifact, measurement, machine.shown)
            facts = command.machine_document(machine, artifacts, measurement.threads) if as_json else {}
            document = {"artifact": str(artifact), "measurement": to_document(measurement), **facts}
            unstable = not_stable(measurement.conditions.unstable, measurement.conditions.machine)
    stored = record_command.record_measurement(artifact, measurement) if record else None
    if as_json:
        terminal.print_json(document | ({"recorded": str(stored)} if stored else {}))
    else:
        show()
        if stored:
            terminal.print_line(f"recorded in {stored}, as {measurement.device}")
    if require_stable and unstable:
        raise CheckFailed(f"the measurement is unstable: {unstable}", "measure again on a quiet machine")


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


def _check_one_way(given: list[str], files: int, batch: bool) -> None:
    """Refuses options that do not go together; ``given`` are those that each measure in a way of their own."""
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together", "give one of them")
    if not given:
        return
    (option,) = given
    if files > 1:
        raise UsageError(f"{option} takes one file, not {files}", "measure them one after another")
    if batch:
        takes = "takes single images" if option == "--pipeline" else "does not take --batch"
        raise UsageError(f"{option} {takes}", "leave out --batch")
