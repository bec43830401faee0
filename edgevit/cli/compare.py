"""``edgevit compare``: what changed from one artifact to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def compare(
    before: Annotated[
        Path,
        typer.Argument(
            metavar="A", help="A run folder, its run.json, or an .onnx, .xml or .tflite file.", show_default=False
        ),
    ],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another one, or the same run.", show_default=False)],
    candidate: Annotated[
        str | None,
        typer.Option(
            metavar="RANK|ID",
            rich_help_panel=options.CHOICE,
            help="Which candidate of the runs; the chosen one of each when not given.",
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(metavar="RANK|ID", rich_help_panel=options.CHOICE, help="Which candidate of B, if another."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.IMAGES, help="Labelled images to run both over; what the runs kept when not given."
        ),
    ] = None,
    mean: options.Mean = None,
    std: options.Std = None,
    class_offset: options.ClassOffset = None,
    samples: options.Samples = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            rich_help_panel=options.MEASUREMENT,
            help="Time both now, alternately; what the runs measured when not given.",
        ),
    ] = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Show what changed from one artifact to another.

    Accuracy image by image (which flipped, McNemar's exact test), latency as a ratio with its interval, size, memory, ops, int8
    share, recipe, versions, calibration, and loss under shift. What cannot be compared, such as latencies of two hosts, is
    named with the reason. Exit 0 whatever changed; `edgevit gate` judges.

    \b
    Examples:
      edgevit compare last-week new
      edgevit compare run run --candidate 1 --other onnxruntime/fp32/dense
      edgevit compare old.onnx new.onnx --data val/ --measure
    """
    from edgevit.cli import render_compare, terminal
    from edgevit.commands.compare import ComparisonQuestion, compare_artifacts
    from edgevit.results.document import to_document

    taken = {"--samples": samples, "--class-offset": class_offset is not None, "--mean": mean, "--std": std}
    if data is None:
        options.refuse_without("--data", taken)
    if data is None and not measure:
        options.refuse_without("--data or --measure", {"--threads": threads})
    asked = ComparisonQuestion(
        before=before,
        after=after,
        candidate=candidate,
        other=other,
        data=data,
        samples=samples,
        class_offset=class_offset,
        preprocessing=options.preprocessing(mean, std, None, None, None, None),
        measure=measure,
        threads=threads,
    )
    with terminal.make_progress() as progress:
        found = compare_artifacts(asked, progress)
    if as_json:
        terminal.print_json(to_document(found))
    else:
        render_compare.print_changes(found)
