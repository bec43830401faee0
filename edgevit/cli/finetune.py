"""``edgevit finetune``: one plan and scheme, fine-tuned without labels."""

from __future__ import annotations

from typing import Annotated

import typer

from edgevit.cli import options


def finetune(
    target: options.Target,
    weights: options.Weights = None,
    class_embeddings: options.ClassEmbeddings = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    no_ema: options.NoEma = False,
    data: options.DataSets = None,
    calibration: options.Calibration = None,
    samples: options.Samples = None,
    class_offset: options.ClassOffset = None,
    train: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.IMAGES,
            help="Images to train on, without labels; those of --calibration when not given.",
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="One token plan, such as tome:8 or resolution:192; none when not given.",
        ),
    ] = None,
    form: options.Form = None,
    export: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="The format whose numbers are trained for: onnx, openvino or tflite.",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.ARTIFACTS, help="One scheme; the policy's first when not given."),
    ] = None,
    labels: options.Labels = None,
    metric: options.Metric = None,
    rung: Annotated[
        str,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="quick: norms, biases, class token and position table; full: all weights.",
        ),
    ] = "quick",
    accelerator: options.Accelerator = None,
    setting: options.Setting = None,
    out: options.Out = None,
    resume: options.Resume = False,
    jobs: options.Jobs = None,
    keep_work: options.KeepWork = False,
    verbose: options.Verbose = False,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Train back what compression lost, without labels.

    The compressed model learns to answer like the dense one; its weights and artifacts are written. Nothing is timed; `edgevit compress --finetune` does all of it. Exit 0 if the tuned artifact answers more like the
    dense model than the untuned one, beyond chance, 1 otherwise.

    \b
    Examples:
      edgevit finetune digits_vit --data digits --calibration digits:train --export onnx
      edgevit finetune vit_tiny_patch16_224 --weights vit.safetensors --data val/ --train images/ \\
          --tokens tome:4=118,7=71,10=43 --export openvino --scheme static_wi8_ai8 --rung full
    """
    from edgevit.cli import render, terminal
    from edgevit.errors import ExitCode
    from edgevit.results.run import run_to_json
    from edgevit.run.files import out_folder
    from edgevit.run.lock import check_run_folders
    from edgevit.spec.resolve import check_single_tuning, resolve_spec

    options.check_resume(resume, out)
    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__class_embeddings=class_embeddings and str(class_embeddings),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        data__evaluation=data[0] if data else None,
        data__also_evaluate=data[1:] if data else None,
        data__calibration=calibration,
        data__train=train,
        data__samples=samples,
        data__class_offset=class_offset,
        passes__tokens=tokens,
        passes__form=form,
        finetune__mode=rung,
        finetune__accelerator=accelerator,
        export__backends=options.split(export),
        export__schemes=options.split(scheme),
        export__labels=labels and str(labels),
        budget__metric=metric,
    )
    spec = resolve_spec(file, None, options.with_settings(overrides, setting))
    check_single_tuning(spec)
    check_run_folders()
    from edgevit.cluster.execution import Where
    from edgevit.pipeline.compress import finetune as run_finetune  # heavy, so after what needs no PyTorch was refused

    with out_folder(out, spec.model.name) as folder, terminal.make_progress(verbose=verbose) as progress:
        run = run_finetune(spec, folder, resume=resume, where=Where(jobs), keep_work=keep_work, progress=progress)
    if as_json:
        terminal.print_line(run_to_json(run).decode().rstrip())
    else:
        render.print_run(run, wide=wide)
        for kept in (each.weights for each in run.finetunes if each.weights):
            terminal.print_line(f"weights: {folder / kept}")
            terminal.print_line(f"to load them: edgevit compress {spec.model.name} --weights {folder / kept} …")
    better = bool(run.finetunes) and all(each.better for each in run.finetunes)
    raise typer.Exit(ExitCode.DONE if better else ExitCode.CHECK_FAILED)
