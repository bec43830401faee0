"""``edgevit init``: a spec to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def init(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A bundled model, a timm name, or package.module:factory.", show_default=False
        ),
    ],
    weights: options.Weights = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    data: options.Data = None,
    calibration: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.IMAGES, help="Images to calibrate with; 20% of --data when not given."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.CHOICE,
            help="Device to choose for; its profile, where it has one, sets formats and schemes.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(rich_help_panel=options.RUN, metavar="FILE", help="The spec to write, .toml.")
    ] = Path("spec.toml"),
    as_json: options.Json = False,
) -> None:
    """Write a spec to begin with, every key explained.

    What is given is set; every other key is a comment with its meaning and default. The JSON Schema is written beside it,
    by which editors complete and check it.

    \b
    Examples:
      edgevit init digits_vit --data digits --device raspberry-pi-5
      edgevit init vit_tiny_patch16_224 --weights vit.safetensors --data val/ --calibration train/ --out vit.toml
    """
    from dataclasses import asdict

    from edgevit.cli import terminal
    from edgevit.commands.init import write_spec
    from edgevit.spec.resolve import resolve_spec
    from edgevit.spec.toml_files import names

    overrides = options.nested(
        model__name=model,
        model__weights=weights and str(weights),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        data__evaluation=data,
        data__calibration=calibration or (data and "20%"),
        devices=device and [device],
    )
    profile = device if device in names("profiles") else None
    written = write_spec(resolve_spec(None, profile, overrides), out)
    if as_json:
        terminal.print_json(asdict(written))
    else:
        terminal.print_line(written.spec)
        terminal.print_message(f"next: edgevit compress {written.spec} --dry-run")
