"""``edgevit eval``: accuracy of one artifact, also of one that edgevit did not make."""

from __future__ import annotations

from typing import Annotated

import typer

from edgevit.cli import options


def evaluate(
    artifact: options.ArtifactFile,
    data: Annotated[
        str, typer.Option(help="Labelled images: digits, a folder, an .npz, or a manifest (.toml).", show_default=False)
    ],
    mean: Annotated[str | None, typer.Option(metavar="M | R,G,B", help="Mean of pixels in 0..1.")] = None,
    std: Annotated[str | None, typer.Option(metavar="S | R,G,B", help="Standard deviation of pixels in 0..1.")] = None,
    interpolation: Annotated[str | None, typer.Option(help="bicubic, bilinear, nearest or lanczos.")] = None,
    crop_pct: Annotated[
        float | None, typer.Option(help="Share of the resized image that the crop keeps; 1 when not given.")
    ] = None,
    crop_mode: Annotated[str | None, typer.Option(help="center, or squash: ignore the aspect ratio.")] = None,
    class_offset: Annotated[int, typer.Option(min=0, help="Logit of class 0; 1 if logit 0 is a background class.")] = 0,
    samples: options.Samples = None,
    threads: options.Threads = None,
    precision: options.Precision = "f32",
    as_json: options.Json = False,
) -> None:
    """Score an artifact on labelled images.

    The input size is the file's own. How images are normalized is known for an artifact in a run folder; give
    --mean and --std for any other file.

    \b
    Examples:
      edgevit eval run/artifacts/litert/fp32/dense/model.tflite --data digits
      edgevit eval mobilenet_v2.tflite --data val/ --mean 0.5 --std 0.5 --class-offset 1
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.eval import FileEvaluation, evaluate_file
    from edgevit.results.document import to_document
    from edgevit.spec.spec import PreprocessingOverrides
    from edgevit.spec.toml_files import validate

    options.check_choice("precision", precision, options.PRECISIONS)
    given = options.nested(
        mean=options.channels("--mean", mean),
        std=options.channels("--std", std),
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
    )
    asked = FileEvaluation(
        artifact=artifact,
        data=data,
        preprocessing=validate(PreprocessingOverrides, given, "command line"),
        class_offset=class_offset,
        samples=samples,
        threads=threads or 1,
        precision=precision,
    )
    with terminal.make_progress() as progress:
        accuracy = evaluate_file(asked, progress)
    if as_json:
        terminal.print_json({"artifact": str(artifact), "data": data, "accuracy": to_document(accuracy)})
    else:
        render.print_accuracy(artifact, data, accuracy)
