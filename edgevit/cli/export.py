"""``edgevit export``: artifacts, verified, and nothing else."""

from __future__ import annotations

import typer

from edgevit.cli import options


def export(
    target: options.Target,
    weights: options.Weights = None,
    class_embeddings: options.ClassEmbeddings = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    no_ema: options.NoEma = False,
    calibration: options.Calibration = None,
    tokens: options.Tokens = None,
    form: options.Form = None,
    backends: options.Exports = None,
    scheme: options.Schemes = "fp32",
    labels: options.Labels = None,
    embed_preprocessing: options.EmbedPreprocessing = False,
    setting: options.Setting = None,
    out: options.Out = None,
    resume: options.Resume = False,
    jobs: options.Jobs = None,
    keep_work: options.KeepWork = False,
    verbose: options.Verbose = False,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Export and verify artifacts, without measuring or choosing.

    Exit 0 if every artifact was made and verified, 1 otherwise.

    \b
    Examples:
      edgevit export digits_vit --export onnx,tflite
      edgevit export mobilenetv2_100 --random-weights --calibration images/ --scheme fp32,static_wi8_ai8
    """
    from edgevit.cli import render, terminal
    from edgevit.errors import ExitCode
    from edgevit.results.run import run_to_json
    from edgevit.run.files import out_folder
    from edgevit.run.lock import check_run_folders
    from edgevit.spec.resolve import resolve_spec

    options.check_resume(resume, out)
    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__class_embeddings=class_embeddings and str(class_embeddings),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        data__calibration=calibration,
        passes__tokens=tokens,
        passes__form=form,
        export__backends=options.split(backends),
        export__schemes=options.split(scheme),
        export__labels=labels and str(labels),
        export__embed_preprocessing=embed_preprocessing,
    )
    spec = resolve_spec(file, None, options.with_settings(overrides, setting))
    check_run_folders()
    from edgevit.cluster.execution import Where
    from edgevit.pipeline.compress import export as run_export  # heavy, so after what needs no PyTorch was refused

    with out_folder(out, spec.model.name) as folder, terminal.make_progress(verbose=verbose) as progress:
        run = run_export(spec, folder, resume=resume, where=Where(jobs), keep_work=keep_work, progress=progress)
    if as_json:
        terminal.print_line(run_to_json(run).decode().rstrip())
    else:
        render.print_run(run, wide=wide)
        terminal.print_line(f"artifacts: {folder / 'artifacts'}")
    whole = all(candidate.status == "ok" for candidate in run.candidates)
    raise typer.Exit(ExitCode.DONE if whole else ExitCode.CHECK_FAILED)
