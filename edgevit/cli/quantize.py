"""``edgevit quantize``: a float file of anyone to int8."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def quantize(
    artifact: options.ArtifactFile,
    calibration: Annotated[
        str,
        typer.Option(
            rich_help_panel=options.IMAGES,
            help="Images to calibrate with: digits:train, a folder, an .npz, or a manifest (.toml).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=options.RUN, help="The file to write; <name>.<scheme>.<suffix> beside it when not given."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.IMAGES,
            help="Labelled images to judge by; agreement on the calibration images when not given.",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.ARTIFACTS, help="One scheme; the policy's first when not given."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="Name or file of the device that it is for, such as jetson-orin-nano; any processor when not given.",
            show_default=False,
        ),
    ] = None,
    metric: options.Metric = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            rich_help_panel=options.CHOICE,
            help="Allowed drop of top-1 in points, 1.0 when not given, or of --metric in its unit.",
        ),
    ] = None,
    max_minutes: Annotated[
        float, typer.Option(min=0.01, rich_help_panel=options.RUN, help="After which nothing further is tried.")
    ] = 20.0,
    mean: options.Mean = None,
    std: options.Std = None,
    interpolation: options.Interpolation = None,
    crop_pct: options.CropPct = None,
    crop_mode: options.CropMode = None,
    input_kind: options.InputKind = None,
    class_offset: options.ClassOffset = None,
    embed_preprocessing: options.EmbedPreprocessing = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Quantize a float32 file, also one of others, and verify it.

    What comes out is verified against the file. The recipes and the repair ladder are those of `edgevit compress`, as far as they need no PyTorch model; what is left
    out is said. Exit 0 if the drop is within --max-drop, 1 otherwise; the file is written in both cases.

    \b
    Example:
      edgevit quantize mobilenet_v2.onnx --calibration train/ --data val/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.float_file import FileQuantization
    from edgevit.commands.quantize import default_out, quantize_file
    from edgevit.errors import ExitCode
    from edgevit.results.candidate import within_budget
    from edgevit.results.document import to_document

    asked = FileQuantization(
        artifact=artifact,
        out=out or default_out(artifact, scheme),
        calibration=calibration,
        evaluation=data,
        scheme=scheme,
        preprocessing=options.preprocessing(mean, std, interpolation, crop_pct, crop_mode, input_kind),
        class_offset=class_offset,
        embed_preprocessing=embed_preprocessing,
        max_drop=max_drop,
        metric=metric,
        device=device,
        max_minutes=max_minutes,
        threads=threads or 1,
    )
    with terminal.make_progress() as progress:
        found = quantize_file(asked, progress)
    if as_json:
        terminal.print_json(to_document(found))
    else:
        render.print_quantized(found)
    raise typer.Exit(ExitCode.DONE if within_budget(found.drop_points, asked.limit) else ExitCode.CHECK_FAILED)
