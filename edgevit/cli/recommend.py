"""``edgevit recommend``: which family of networks to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgevit.cli import options

if TYPE_CHECKING:
    from edgevit.results.recommendation import Situation


def recommend(
    images: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            rich_help_panel=options.IMAGES,
            help="Training images, such as 5000, 50k or 1.2M.",
            show_default=False,
        ),
    ] = None,
    pretraining: Annotated[
        Literal["none", "imagenet-1k", "larger"],
        typer.Option(
            rich_help_panel=options.MODEL,
            help="Weights at hand to start from: none, of ImageNet-1k, or of a larger set.",
        ),
    ] = "imagenet-1k",
    task: Annotated[
        Literal["classification", "dense"],
        typer.Option(
            rich_help_panel=options.MODEL,
            help="dense: an answer for each place, such as segmentation, detection or depth.",
        ),
    ] = "classification",
    device: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Device to predict for; `edgevit devices` lists them. Without one, latency does not count.",
            show_default=False,
        ),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            rich_help_panel=options.CHOICE,
            help="Of one image on the device, such as 10ms.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", rich_help_panel=options.CHOICE, help="For the weights, such as 8MB.", show_default=False
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            rich_help_panel=options.IMAGES,
            help="Of the images in pixels: height x width such as 2160x3840, one side, or 4k.",
            show_default=False,
        ),
    ] = None,
    fine_detail: Annotated[
        bool,
        typer.Option(
            "--fine-detail", rich_help_panel=options.IMAGES, help="What counts is lost when images are made smaller."
        ),
    ] = False,
    shift: Annotated[
        bool,
        typer.Option("--shift", rich_help_panel=options.IMAGES, help="Images in use differ from the training images."),
    ] = False,
    explanations: Annotated[
        bool, typer.Option("--explanations", rich_help_panel=options.CHOICE, help="Answers have to be explained.")
    ] = False,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            rich_help_panel=options.CHOICE,
            help="Folder of a run of yours; may be repeated. Runs of two families on the same images decide before all else.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Recommend a CNN, a hybrid or a ViT to start from.

    With networks to try first and a profile to compress them with. Reasons come from your own runs, from predictions for the device, and
    from published results, in this order; contradictions among them are named, and what would change the answer. Nothing is
    run or downloaded. Exit 1 if no network is possible.

    \b
    Examples:
      edgevit recommend --images 5000 --device raspberry-pi-5 --max-latency 30ms
      edgevit recommend --images 50k --pretraining none
      edgevit recommend --images 2M --task dense --resolution 4k --fine-detail --device jetson-agx-orin
      edgevit recommend --device rk3588 --max-latency 15ms --run runs/cnn --run runs/vit
    """
    from edgevit.cli import render_recommendation, terminal
    from edgevit.commands.recommend import recommend as recommending
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    situation = _situation(
        images, max_latency, memory, resolution,
        pretraining=pretraining, task=task, device=device, fine_detail=fine_detail, shift=shift, explanations=explanations,
    )  # fmt: skip
    found = recommending.recommend(situation, tuple(run or ()))
    if as_json:
        terminal.print_json(to_document(found))
    else:
        render_recommendation.print_recommendation(found)
    raise typer.Exit(ExitCode.DONE if found.family else ExitCode.CHECK_FAILED)


def _situation(
    images: str | None, max_latency: str | None, memory: str | None, resolution: str | None, **rest: object
) -> Situation:
    from edgevit.commands.recommend import situation
    from edgevit.results.recommendation import Situation

    return Situation(
        images=situation.parse_images(images),
        max_latency_ms=situation.parse_latency(max_latency),
        memory_bytes=situation.parse_memory(memory),
        resolution=situation.parse_resolution(resolution),
        **rest,  # type: ignore[arg-type]
    )
