"""``edgevit sensitivity``: what each layer loses when it alone is quantized."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def sensitivity(
    target: options.Target,
    weights: options.Weights = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    no_ema: options.NoEma = False,
    data: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.IMAGES, help="Images that --calibration may be a part of, such as 20%."),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.IMAGES, help="Images to compare on; up to 32 of them are used."),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS, help="onnx, openvino or tflite; the first of the spec when not given."
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="auto, or a name such as static_wi8_ai8; the first of the spec when not given.",
        ),
    ] = None,
    tokens: options.Tokens = None,
    threads: options.Threads = None,
    setting: options.Setting = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=options.RUN, help="runs/<model>-sensitivity-<time> when not given."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Quantize each layer alone, and rank them by what is lost.

    Shows how far the logits move, worst first. Quantizer and runtime are the backend's own; all else stays float. The whole result is in sensitivity.json, the
    picture in sensitivity.png. Exit 0 on success, 1 if a runtime or quantizer failed, 2 for wrong input.

    \b
    Examples:
      edgevit sensitivity digits_vit --calibration calibration:digits --export tflite
      edgevit sensitivity spec.toml --export openvino --scheme static_wi8_ai8 --out sensitivity
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.sensitivity import DOCUMENT, analyse
    from edgevit.results.document import to_json
    from edgevit.run.files import out_folder
    from edgevit.spec.resolve import resolve_spec

    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        data__evaluation=data,
        data__calibration=calibration,
        passes__tokens=tokens,
        export__backends=_one("--export", export),
        export__schemes=_one("--scheme", scheme),
        measure__threads=threads,
    )
    spec = resolve_spec(file, None, options.with_settings(overrides, setting))
    with out_folder(out, spec.model.name, "sensitivity") as folder, terminal.make_progress() as progress:
        report = analyse(spec, folder, progress)
    if as_json:
        terminal.print_line(to_json(report).decode().rstrip())
    else:
        render.print_sensitivity(report, folder / DOCUMENT)


def _one(option: str, names: str | None) -> list[str] | None:
    """The only name that an option may have.

    Raises:
        UsageError: there are several, or none.
    """
    from edgevit.errors import UsageError

    given = options.split(names)
    if given is not None and len(given) != 1:
        raise UsageError(f"{option} {names!r}: give exactly one", "layers are compared within one backend and scheme")
    return given
