"""``edgevit profile``: latency and memory predicted for devices that are not here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import options
from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.commands.layers import PredictedLayers
    from edgevit.errors import ExitCode

_LARGEST_SIDE = 8192
"""Pixels of --input-size."""


def profile(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="ARTIFACT|MODEL...", help=".onnx, .xml or .tflite files, and models.", show_default=False
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
            rich_help_panel=options.ARTIFACTS,
            help="Format that models are exported to first; their captured graphs are priced when not given.",
        ),
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            rich_help_panel=options.MODEL,
            help="Sides of the images of models, such as 160,224,384 or 160x320; their own when not given.",
            show_default=False,
        ),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            metavar="FILE=LATENCY|RUN|JSON",
            help="What was measured on the device, such as resnet50.tflite=12.3ms, or a run or bench --json of it; may be"
            " repeated.",
            show_default=False,
        ),
    ] = None,
    layers: options.Layers = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=options.OUTPUT,
            help="Folder for curve.png of several targets or sizes, or with --layers for layers.png and roofline.png.",
            show_default=False,
        ),
    ] = None,
    wide: options.WideLayers = False,
    as_json: options.Json = False,
) -> None:
    """Predict latency and memory on a device that is not here.

    Of artifacts and of models, in one table. A model is priced from the graph that is captured of it, as float32, or of the file that --export makes; it needs no weights for this. Predictions rest on published
    measurements, or where there are none on data sheets; they are not measurements. One to five --anchor set the scale of a device. Exit 0 if every device can run every target, 1 otherwise.

    \b
    Examples:
      edgevit profile model.tflite --device raspberry-pi-5 --device coral-edge-tpu
      edgevit profile model.tflite --device rk3588 --anchor mobilenet.tflite=8.1ms
      edgevit profile mobilenetv2_100 vit_tiny_patch16_224 --device rk3588
      edgevit profile resnet18 --device jetson-nano --input-size 160,224,384
      edgevit profile model.tflite --device raspberry-pi-5 --layers --plot pictures
    """
    from edgevit.cli import render_profiles, terminal
    from edgevit.commands.profile import Asked, check_picture, draw, profile_targets
    from edgevit.errors import ExitCode

    options.check_layers(layers, None, wide)
    if layers:
        options.refuse_with("--layers", {"--input-size": input_size}, "it is of one file")
        predict = _layers_of(targets, device, weights, export, anchor or ())
        raise typer.Exit(_show_layers(targets[0], predict, plot, wide, as_json))
    asked = Asked(tuple(targets), weights, export, parse_sizes(input_size))
    if plot is not None:
        check_picture(plot, len(targets) * max(1, len(asked.sizes)))
    with terminal.make_progress() as progress:
        profiles = profile_targets(asked, tuple(device), anchor or (), progress)
    if as_json:
        terminal.print_json(render_profiles.profiles_document(profiles))
    else:
        render_profiles.print_profiles(profiles)
    if plot is not None:
        terminal.print_message(f"written: {draw(profiles, plot)}")
    runs_everywhere = all(prediction.supported for each in profiles for prediction in each.predictions)
    raise typer.Exit(ExitCode.DONE if runs_everywhere else ExitCode.CHECK_FAILED)


def _layers_of(
    targets: list[str], devices: list[str], weights: Path | None, export: str | None, anchors: Sequence[str]
) -> Callable[..., PredictedLayers]:
    """Returns what predicts the layers of the only target on the only device, given the progress callback."""
    from edgevit.commands.anchors import read_anchors
    from edgevit.commands.layers import predict_target_layers
    from edgevit.devices.device import load_device

    for what, given in (("target", targets), ("device", devices)):
        if len(given) > 1:
            raise UsageError(f"--layers is of one {what}, not of {len(given)}", f"give one {what}")
    measured = read_anchors(anchors, (load_device(devices[0]),))
    return partial(predict_target_layers, targets[0], devices[0], weights, export, anchors=measured)


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


def parse_sizes(text: str | None) -> tuple[tuple[int, int], ...]:
    """Returns height and width of each size in "160,224x320".

    Raises:
        UsageError: it is none, has one twice, or a side of no pixels or of too many.
    """
    if text is None:
        return ()
    sizes = []
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", part.strip())
        size = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (0, 0)
        if not all(0 < side <= _LARGEST_SIDE for side in size):
            raise UsageError(
                f"--input-size {text!r} is no list of sizes in pixels, up to {_LARGEST_SIDE}",
                "such as 160,224,384 or 160x320",
            )
        if size in sizes:
            raise UsageError(f"--input-size has {part.strip()} twice", "give it once")
        sizes.append(size)
    return tuple(sizes)
