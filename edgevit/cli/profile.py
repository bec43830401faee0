"""``edgevit profile``: latency and memory predicted for a device that is not here."""

from __future__ import annotations

from typing import Annotated

import typer

from edgevit.cli import options


def profile(
    target: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT|MODEL", help="An .onnx, .xml or .tflite file, or a model.", show_default=False
        ),
    ],
    device: Annotated[
        list[str],
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Device to predict for; may be repeated. `edgevit devices` lists them.",
            show_default=False,
        ),
    ],
    weights: options.Weights = None,
    export: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS, help="Format that a model is exported to first; tflite when not given."
        ),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            metavar="FILE=LATENCY",
            help="An artifact that was measured on the device, such as resnet50.tflite=12.3ms; may be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Predict latency and memory on a device that is not here.

    Of an artifact, or of a model, which is exported to float32. A model needs no weights for this: latency does not depend on them. Predictions rest on published
    measurements, or where there are none on data sheets; they are not measurements. One to five --anchor set the scale of a device. Exit 0 if every device can run it, 1 otherwise.

    \b
    Examples:
      edgevit profile model.tflite --device raspberry-pi-5 --device coral-edge-tpu
      edgevit profile model.tflite --device rk3588 --anchor mobilenet.tflite=8.1ms
      edgevit profile vit_tiny_patch16_224 --device jetson-orin-nano --export onnx
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.profile import parse_anchor, predict_for_target
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    anchors = tuple(map(parse_anchor, anchor or ()))
    with terminal.make_progress() as progress:
        predictions = predict_for_target(target, tuple(device), weights, export, progress, anchors)
    if as_json:
        terminal.print_json({"target": target, "predictions": [to_document(prediction) for prediction in predictions]})
    else:
        render.print_predictions(target, predictions)
    runs_everywhere = all(prediction.supported for prediction in predictions)
    raise typer.Exit(ExitCode.DONE if runs_everywhere else ExitCode.CHECK_FAILED)
