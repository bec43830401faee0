"""``edgevit classify``: what is in images, by an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def classify(
    artifact: options.ArtifactFile,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE", help="Files that Pillow reads, such as .jpg or .png.", show_default=False),
    ],
    top: Annotated[
        int, typer.Option(min=1, rich_help_panel=options.OUTPUT, help="Classes of each image, most probable first.")
    ] = 5,
    labels: options.Labels = None,
    mean: options.Mean = None,
    std: options.Std = None,
    interpolation: options.Interpolation = None,
    crop_pct: options.CropPct = None,
    crop_mode: options.CropMode = None,
    input_kind: options.InputKind = None,
    tiles: options.Tiles = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Name what is in images, with an artifact alone.

    A file that edgevit made states its classes and how images are preprocessed; give --mean, --std and --labels for any
    other. What is given counts more than what the file states.

    \b
    Examples:
      edgevit classify model.tflite photo.jpg
      edgevit classify mobilenet_v2.onnx photos/*.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --labels classes.txt
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.classify import Question, classify_images
    from edgevit.results.document import to_document

    question = Question(
        artifact=artifact,
        images=tuple(images),
        preprocessing=options.with_tiles(
            options.preprocessing(mean, std, interpolation, crop_pct, crop_mode, input_kind), tiles
        ),
        labels=labels,
        top=top,
        threads=threads or 1,
    )
    found = classify_images(question)
    for note in found.notes:
        terminal.print_message(f"note: {note}")
    if as_json:
        terminal.print_json({"artifact": str(artifact), **to_document(found)})
    else:
        render.print_classification(found)
