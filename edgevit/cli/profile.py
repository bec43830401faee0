"""``edgevit profile``: latency and memory predicted for a device that is not here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import options
from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.commands.layers import PredictedLayers
    from edgevit.errors import ExitCode


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
    layers: options.Layers = False,
    plot: options.Plot = None,
    wide: options.WideLayers = False,
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
      edgevit profile model.tflite --device raspberry-pi-5 --layers --plot pictures
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.profile import parse_anchor, predict_for_target
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    anchors = tuple(map(parse_anchor, anchor or ()))
    options.check_layers(layers, plot, wide)
    if layers:
        if len(device) > 1:
            raise UsageError("--layers is of one device", "give one --device")
        from edgevit.commands.layers import predict_target_layers

        predict = partial(predict_target_layers, target, device[0], weights, export, anchors=anchors)
        raise typer.Exit(_show_layers(target, predict, plot, wide, as_json))
    with terminal.make_progress() as progress:
        predictions = predict_for_target(target, tuple(device), weights, export, progress, anchors)
    if as_json:
        terminal.print_json({"target": target, "predictions": [to_document(prediction) for prediction in predictions]})
    else:
        render.print_predictions(target, predictions)
    runs_everywhere = all(prediction.supported for prediction in predictions)
    raise typer.Exit(ExitCode.DONE if runs_everywhere else ExitCode.CHECK_FAILED)


def _show_layers(
    target: str, predict: Callable[..., PredictedLayers], plot: Path | None, wide: bool, as_json: bool
) -> ExitCode:
    """Predicts, draws and shows the layers of one target, and returns how the command ends."""
    from edgevit.cli import render, render_layers, terminal
    from edgevit.commands.layers import check_pictures, draw
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    check_pictures(plot)
    with terminal.make_progress() as progress:
        found = predict(progress=progress)
    prediction, layers = found.prediction, found.layers
    pictures = draw(Path(target).name, layers, plot) if layers and plot else ()
    if as_json:
        document = render_layers.layer_times_document(layers) if layers else {}
        terminal.print_json({"target": target, "predictions": [to_document(prediction)], **document})
    else:
        render.print_predictions(target, (prediction,))
        if layers:
            terminal.print_line()
            render_layers.print_layer_times(Path(target).name, layers, wide=wide)
        else:
            terminal.print_line("no layers: no latency is predicted")
        render_layers.print_pictures(pictures)
    return ExitCode.DONE if prediction.supported else ExitCode.CHECK_FAILED
