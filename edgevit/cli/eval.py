"""``edgevit eval``: accuracy of one artifact, also of one that edgevit did not make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import board_options, options

if TYPE_CHECKING:
    from edgevit.commands.eval import FileEvaluation


def evaluate(
    artifact: options.ArtifactFile,
    data: Annotated[
        list[str],
        typer.Option(
            rich_help_panel=options.IMAGES,
            help="Labelled images: digits, a folder, an .npz, or a manifest (.toml), repeatable; with --reference any images.",
            show_default=False,
        ),
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare the outputs with this file's, mostly the float one, in place of labels: cosine, SNR.",
            show_default=False,
            rich_help_panel=options.IMAGES,
        ),
    ] = None,
    masks: options.Masks = None,
    mean: options.Mean = None,
    std: options.Std = None,
    interpolation: options.Interpolation = None,
    crop_pct: options.CropPct = None,
    crop_mode: options.CropMode = None,
    input_kind: options.InputKind = None,
    tiles: options.Tiles = None,
    class_offset: options.ClassOffset = None,
    samples: options.Samples = None,
    metric: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.IMAGES,
            help="Score by this too: value, multilabel, or package.module:function of your own.",
            show_default=False,
        ),
    ] = None,
    corruptions: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            rich_help_panel=options.IMAGES,
            help="Loss under shift against the float parent: noise,blur,jpeg,brightness,contrast,shift,occlusion, or some of"
            " them; none for further --data alone.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, rich_help_panel=options.IMAGES, help="Of --corruptions; 0 when not given.", show_default=False
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            rich_help_panel=options.RUN,
            help="Store the loss under shift in the run.json of the file's run.",
        ),
    ] = False,
    save_outputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            help="Write the logits, name and digest of each image (.npz), for edgevit parity; labels are not needed then.",
            show_default=False,
        ),
    ] = None,
    threads: options.Threads = None,
    precision: options.Precision = "f32",
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            rich_help_panel=options.RUN,
            help="Stop after so long without progress; 900 when not given.",
        ),
    ] = None,
    on: board_options.EvaluateOn = None,
    python: board_options.Python = None,
    wait: board_options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Score an artifact on labelled images.

    Or, with --reference, beside another file. The input size is the file's own. A file that edgevit made states how images are preprocessed; give --mean and --std for
    any other, of pixels in 0..1: a file that takes pixels in 0..255 as they are has --mean 0 --std 0.00392157. What is given
    counts more than what the file states. Exit 1 if it was stopped before all images were scored.

    With --corruptions, the file is scored beside its float parent (that of its run, or --reference) on corrupted images, three
    severities each, and on further --data of other domains; --record stores that for budgets and `edgevit compare`.

    With --on, the file runs on a board; images are preprocessed, and outputs scored, on this machine.

    \b
    Examples:
      edgevit eval run/artifacts/litert/fp32/dense/model.tflite --data digits
      edgevit eval mobilenet_v2.tflite --data val/ --mean 0.5 --std 0.5 --class-offset 1
      edgevit eval int8/model.onnx --data photos/ --reference fp32/model.onnx
      edgevit eval int8/model.onnx --data photos/ --save-outputs int8.npz
      edgevit eval int8/model.tflite --data val/ --on pi@raspberrypi.local
      edgevit eval run/artifacts/onnxruntime/static_wi8_ai8/dense/model.onnx --data digits --corruptions noise,jpeg --record
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.eval import FileEvaluation, evaluate_file
    from edgevit.errors import ExitCode, UsageError
    from edgevit.results.document import to_document

    options.check_choice("precision", precision, options.PRECISIONS)
    asked = FileEvaluation(
        artifact=artifact,
        data=data[0],
        preprocessing=options.with_tiles(
            options.preprocessing(mean, std, interpolation, crop_pct, crop_mode, input_kind), tiles
        ),
        class_offset=class_offset,
        samples=samples,
        threads=threads or 1,
        precision=precision,
        timeout_seconds=timeout,
        metric=metric,
        reference=reference,
        masks=masks,
        save_outputs=save_outputs,
    )
    board = board_options.one_board(on, python, wait)
    if board is not None:
        options.refuse_with(
            "--on", {"--corruptions": corruptions}, "a board computes the outputs for the images as they are"
        )
    if save_outputs is not None:
        _check_save_outputs(save_outputs, data, corruptions)
    twice = next((source for source in data if data.count(source) > 1), None)
    if twice is not None:
        raise UsageError(f"--data {twice} is given twice", "give each set once")
    if corruptions is not None:
        options.refuse_with("--corruptions", {"--masks": masks, "--metric": metric}, "it is scored by top-1")
        _evaluate_shift(asked, tuple(data), corruptions, seed or 0, record=record, as_json=as_json)
        return
    options.refuse_without("--corruptions", {"--seed": seed is not None, "--record": record})
    with (
        terminal.make_progress() as progress,
        board_options.evaluation_board(board, asked, progress) as connected,
    ):
        scores = {source: evaluate_file(replace(asked, data=source), progress, connected) for source in data}
    for note in dict.fromkeys(note for found in scores.values() for note in found.notes):
        terminal.print_message(f"warning: {note}")
    if as_json:
        first, *others = ({"data": source, **to_document(found)} for source, found in scores.items())
        terminal.print_json({"artifact": str(artifact), **first, **({"other_sets": others} if others else {})})
    else:
        for source, found in scores.items():
            render.print_score(artifact, source, found)
    for saved in filter(None, (found.saved_outputs for found in scores.values())):
        terminal.print_message(f"outputs of each image: {saved.path}")
    stopped = [found.stopped for found in scores.values() if found.stopped]
    for reason in stopped:
        terminal.print_message(f"stopped: {reason}")
    if stopped:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _check_save_outputs(path: Path, data: list[str], corruptions: str | None) -> None:
    """Refuses what --save-outputs cannot keep."""
    from edgevit.errors import UsageError

    options.refuse_with(
        "--save-outputs", {"--corruptions": corruptions}, "it keeps the outputs for the images as they are"
    )
    if len(data) > 1:
        raise UsageError("--save-outputs keeps the outputs for one set of images", "give --data once")
    if path.suffix.lower() != ".npz":
        raise UsageError(f"--save-outputs {path} is no .npz file", f"such as {path.with_suffix('.npz')}")
    if path.is_dir():
        raise UsageError(f"--save-outputs {path} is a folder", "name a file")


def _evaluate_shift(
    asked: FileEvaluation, data: tuple[str, ...], corruptions: str, seed: int, *, record: bool, as_json: bool
) -> None:
    """Scores a file under shift and prints it."""
    from edgevit.cli import render_shift, terminal
    from edgevit.commands.eval_shift import ShiftQuestion, record_shift, score_under_shift
    from edgevit.commands.record import check_recordable
    from edgevit.data.corruptions import parse_corruptions
    from edgevit.results.document import to_document

    question = ShiftQuestion(
        artifact=asked.artifact,
        sources=data,
        corruptions=parse_corruptions(corruptions),
        seed=seed,
        reference=asked.reference,
        preprocessing=asked.preprocessing,
        class_offset=asked.class_offset,
        samples=asked.samples,
        threads=asked.threads,
        precision=asked.precision,
        timeout_seconds=asked.timeout_seconds,
    )
    if record:
        check_recordable(asked.artifact)
    with terminal.make_progress() as progress:
        scores = score_under_shift(question, progress)
    found = scores[0].shift
    assert found is not None
    stored = record_shift(asked.artifact, found) if record else None
    for note in dict.fromkeys(note for each in scores for note in each.notes):
        terminal.print_message(f"warning: {note}")
    if as_json:
        first, *others = ({"data": source, **to_document(each)} for source, each in zip(data, scores, strict=True))
        further = {"other_sets": others} if others else {}
        recorded = {"recorded": str(stored)} if stored else {}
        terminal.print_json({"artifact": str(asked.artifact), **first, **further, **recorded})
        return
    render_shift.print_shift(asked.artifact.name, found)
    if stored:
        terminal.print_line(f"stored in {stored}")
