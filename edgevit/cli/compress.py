"""``edgevit compress``: the main path."""

from __future__ import annotations

from typing import Annotated

import typer

from edgevit.cli import board_options, options


def compress(
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
    tiles: options.Tiles = None,
    teacher: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.ARTIFACTS, help="Distill from this model first; needs --train."),
    ] = None,
    teacher_weights: options.TeacherWeights = None,
    train: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.IMAGES, help="Images to distill or fine-tune with, apart from all others."
        ),
    ] = None,
    tokens: options.Tokens = None,
    prune: options.Prune = None,
    form: options.Form = None,
    finetune: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="Train without labels what compression lost: none, quick, full, or auto, which tunes what exceeds"
            " --max-drop.",
        ),
    ] = None,
    finetune_teacher: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="Whom --finetune learns from: student, the model itself in float, or teacher, that of --teacher.",
        ),
    ] = None,
    accelerator: options.Accelerator = None,
    export: options.Exports = None,
    scheme: options.Schemes = None,
    labels: options.Labels = None,
    embed_preprocessing: options.EmbedPreprocessing = False,
    max_drop: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Largest loss of top-1 in points, or of --metric in its unit; 1.0 when not given.",
        ),
    ] = None,
    masks: options.Masks = None,
    metric: options.Metric = None,
    expect_top1: options.ExpectTop1 = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=options.RUN,
            help="For the whole run; token search and repair stop in time. No limit when not given.",
        ),
    ] = None,
    integer_io: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="int8 or uint8: integers in and out, for NPUs that need it; TFLite only.",
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=options.CHOICE, help="Predict for this device too; may be repeated."),
    ] = None,
    on: board_options.OnSeveral = None,
    python: board_options.Python = None,
    wait: board_options.Wait = None,
    profile: options.Profile = None,
    threads: options.Threads = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            rich_help_panel=options.RUN,
            help="A first look: dense candidates, a fifth of the images, no repair, no final round.",
        ),
    ] = False,
    setting: options.Setting = None,
    out: options.Out = None,
    resume: options.Resume = False,
    jobs: options.Jobs = None,
    cluster: options.Cluster = None,
    store: options.Store = None,
    tls: options.Tls = None,
    reuse_measurements: options.ReuseMeasurements = False,
    keep_work: options.KeepWork = False,
    require_stable: options.RequireStable = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", rich_help_panel=options.RUN, help="Say what would be made, and stop; writes nothing."
        ),
    ] = False,
    verbose: options.Verbose = False,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Make, verify and measure every candidate; choose one.

    Exit 0 if a usable candidate is left (with --on and --device, one for each), 1 if none is, 2 for wrong input.

    \b
    Examples:
      edgevit compress digits_vit --data digits --calibration calibration:digits --device raspberry-pi-5
      edgevit compress vit_tiny_patch16_224 --weights vit.safetensors --data val/ --calibration train/ \\
          --export onnx,openvino,tflite --scheme auto --tokens evit:0.7@4,7,10
      edgevit compress vit_tiny_patch16_224 --weights vit.safetensors --data val/ --on pi@raspberrypi.local
      edgevit compress spec.toml --out run
    """
    from edgevit import units
    from edgevit.cli import render, terminal
    from edgevit.cli.plan_text import plan_lines
    from edgevit.cluster.execution import Where
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document
    from edgevit.results.run import run_to_json
    from edgevit.run.files import out_folder
    from edgevit.run.leftovers import folder_size
    from edgevit.run.lock import check_run_folders
    from edgevit.spec.resolve import resolve_spec

    options.check_resume(resume, out)
    if dry_run:
        ineffective = {
            "--out": out, "--keep-work": keep_work, "--require-stable": require_stable, "--wide": wide, "--cluster": cluster,
            "--store": store, "--tls": tls, "--reuse-measurements": reuse_measurements,
        }  # fmt: skip
        options.refuse_with("--dry-run", ineffective, "it only says what would be made")
    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__class_embeddings=class_embeddings and str(class_embeddings),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        model__preprocessing__tiles=options.parse_tiles(tiles),
        data__evaluation=data[0] if data else None,
        data__also_evaluate=data[1:] if data else None,
        data__masks=masks and str(masks),
        data__calibration=calibration,
        data__train=train,
        data__samples=samples,
        data__class_offset=class_offset,
        distill__teacher__name=teacher,
        distill__teacher__weights=teacher_weights and str(teacher_weights),
        passes__tokens=tokens,
        passes__prune=prune,
        passes__form=form,
        finetune__mode=finetune,
        finetune__teacher=finetune_teacher,
        finetune__accelerator=accelerator,
        export__backends=options.split(export),
        export__schemes=options.split(scheme),
        export__labels=labels and str(labels),
        export__embed_preprocessing=embed_preprocessing,
        max_minutes=max_minutes,
        quick=quick,
        quantize__integer_io=integer_io,
        devices=device or None,
        boards__on=on or None,
        boards__python=python,
        boards__wait_minutes=board_options.wait_minutes(wait),
        budget__metric=metric,
        budget__max_drop=max_drop,
        budget__expect_top1=expect_top1,
        measure__threads=threads,
    )
    spec = resolve_spec(file, profile, options.with_settings(overrides, setting))
    if not spec.boards.on:
        options.refuse_without("--on", {"--python": python is not None, "--wait": wait is not None})
    check_run_folders()
    where = Where(jobs, cluster or "", store or "", tls, reuse_measurements)
    from edgevit.pipeline.compress import compress as run_compress  # heavy, so after what needs no PyTorch was refused
    from edgevit.pipeline.compress import plan

    if dry_run:
        with terminal.make_progress(verbose=verbose) as progress:
            planned = plan(spec, jobs=jobs, progress=progress)
        if as_json:
            terminal.print_json(to_document(planned))
            return
        for line in plan_lines(planned):
            terminal.print_line(line)
        return
    with out_folder(out, spec.model.name) as folder, terminal.make_progress(verbose=verbose) as progress:
        run = run_compress(spec, folder, resume=resume, where=where, keep_work=keep_work, progress=progress)
    if as_json:
        terminal.print_line(run_to_json(run).decode().rstrip())
    else:
        render.print_run(run, wide=wide)
        terminal.print_line(f"report: {folder / 'report.md'} (run folder: {units.size(folder_size(folder))})")
        if run.chosen and run.chosen.artifact:
            file, named = folder / run.chosen.artifact.path, run.chosen.verification and run.chosen.verification.outputs
            use = f"python {file.with_name('use.py')}" if named else f"edgevit classify {file}"
            terminal.print_line(f"use it: {use} IMAGE")
    unstable = run.not_stable if require_stable else ()
    if unstable:
        terminal.print_message(f"unstable: {', '.join(unstable)}; repeat on a quiet machine")
    raise typer.Exit(ExitCode.DONE if all(run.choices.values()) and not unstable else ExitCode.CHECK_FAILED)
