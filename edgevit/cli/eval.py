"""``edgevit eval``: accuracy of one artifact, also of one that edgevit did not make."""

from __future__ import annotations

from pathlib import Path
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

    The input size is the file's own. How images are normalized is known for an artifact in a run folder; for any other
    file it has to be said.

    \b
    Examples:
      edgevit eval run/artifacts/litert/fp32/dense/model.tflite --data digits
      edgevit eval mobilenet_v2.tflite --data val/ --mean 0.5 --std 0.5 --class-offset 1
    """
    import tempfile

    from edgevit.backends import backend_of_file
    from edgevit.cli import render, terminal
    from edgevit.commands.eval import FileJob, choose_samples, preprocessing_of, score_file
    from edgevit.results.document import to_document
    from edgevit.results.run import find_run
    from edgevit.run.child_process import isolated
    from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides
    from edgevit.spec.toml_files import validate

    backend = backend_of_file(artifact)
    options.check_choice("precision", precision, options.PRECISIONS)
    given = options.nested(
        mean=options.channels("--mean", mean),
        std=options.channels("--std", std),
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
    )
    contract = preprocessing_of(artifact, find_run, validate(PreprocessingOverrides, given, "command line"))
    chosen = choose_samples(data, samples, seed=0)
    job = FileJob(backend.name, artifact.resolve(), chosen, contract, class_offset, threads or 1, precision)
    with terminal.make_progress() as progress, tempfile.TemporaryDirectory() as folder:
        accuracy = isolated(
            score_file, job, timeout_seconds=MeasureSpec().timeout_seconds, log=Path(folder, "eval.log"),
            on_progress=lambda done, total: progress.stage(f"evaluate {artifact.name}", done, total),
        )  # fmt: skip
    if as_json:
        terminal.print_json({"artifact": str(artifact), "data": data, "accuracy": to_document(accuracy)})
    else:
        render.print_accuracy(artifact, data, accuracy)
