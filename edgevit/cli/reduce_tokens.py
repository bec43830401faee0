"""``edgevit reduce-tokens``: the pass alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def reduce_tokens(
    target: options.Target,
    tokens: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.ARTIFACTS,
            help="One plan, such as evit:0.7, tome:8, squeeze:4=150,7=100, resolution:192.",
        ),
    ] = None,
    weights: options.Weights = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    no_ema: options.NoEma = False,
    data: options.Data = None,
    samples: options.Samples = None,
    class_offset: options.ClassOffset = None,
    form: Annotated[
        str | None, typer.Option(rich_help_panel=options.ARTIFACTS, help="gather or arithmetic; gather when not given.")
    ] = None,
    setting: options.Setting = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", rich_help_panel=options.RUN, help="Captured program to write, for torch.export.load."
        ),
    ] = Path("reduced.pt2"),
    as_json: options.Json = False,
) -> None:
    """Reduce a transformer's tokens, and see what is lost.

    The accuracy is PyTorch's. Nothing is exported, quantized or timed; `edgevit compress --tokens` does all of it. With --data, the accuracy
    before and after.

    \b
    Examples:
      edgevit reduce-tokens digits_vit --tokens squeeze:0.5@2,4 --data digits --samples 100
      edgevit reduce-tokens vit_tiny_patch16_224 --weights vit.safetensors --tokens tome:8 --form arithmetic
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.reduce_tokens import reduce_model
    from edgevit.results.document import to_json
    from edgevit.spec.resolve import resolve_spec

    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
        data__evaluation=data,
        data__samples=samples,
        data__class_offset=class_offset,
        passes__tokens=tokens,
        passes__form=form,
    )
    spec = resolve_spec(file, None, options.with_settings(overrides, setting))
    with terminal.make_progress() as progress:
        report = reduce_model(spec, out, progress)
    if as_json:
        terminal.print_line(to_json(report).decode().rstrip())
    else:
        render.print_reduction(report)
