"""``edgevit explain``: draws what a model looks at, and which patches a token plan keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def explain(
    target: options.Target,
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE", help="Image files, or bundled digits such as digits-0010.", show_default=False),
    ],
    weights: options.Weights = None,
    pretrained: options.Pretrained = False,
    random_weights: options.RandomWeights = False,
    no_ema: options.NoEma = False,
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="PLAN",
            rich_help_panel=options.ARTIFACTS,
            help="A plan to show, such as squeeze:0.7 or evit:0.7@4,7,10.",
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=options.ARTIFACTS,
            help="Show the attention of this block, from 1.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=options.ARTIFACTS,
            help="Of --layer, this head, from 1; the mean of its heads when not given.",
            show_default=False,
        ),
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.ARTIFACTS,
            help="A compressed file, whose class and probability are told beside the model's.",
            show_default=False,
        ),
    ] = None,
    setting: options.Setting = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=options.RUN, help="runs/<model>-explain-<time> when not given."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Draw what a model looks at, and what a plan keeps.

    Writes a picture for each image, headed by the class and probability that the dense model, the reduced one and the compressed
    file give: the image as the model sees it, the patches kept or merged after each site of the plan, and the attention
    rollout of the dense model, or one layer and head; and one picture of the attention distance of each head. CNNs and hybrids are
    shown by Grad-CAM. Of a spec only the model is used. Prints the files written; --json adds the numbers.

    \b
    Examples:
      edgevit explain digits_vit digits-0010 digits-0024 --tokens evit:0.5@2,4 --layer 6 --head 1 --out seen
      edgevit explain vit_tiny_patch16_224 cat.jpg --weights vit.safetensors --artifact run/artifacts/litert/fp32/dense/model.tflite
      edgevit explain digits_cnn digits-0010
    """
    from edgevit.cli import terminal
    from edgevit.commands.explain import Shown
    from edgevit.commands.explain import explain as run_explain
    from edgevit.results.document import to_json
    from edgevit.run.files import out_folder
    from edgevit.spec.resolve import resolve_spec
    from edgevit.spec.token_plan import NONE, parse_plan

    if layer is None:
        options.refuse_without("--layer", {"--head": head})
    plan = None if tokens is None or tokens == NONE else parse_plan(tokens)
    shown = Shown(plan, layer, head, artifact)
    file, name = options.spec_file_or_model(target)
    overrides = options.nested(
        model__name=name,
        model__weights=weights and str(weights),
        model__pretrained=pretrained,
        model__random_weights=random_weights,
        model__no_ema=no_ema,
    )
    spec = resolve_spec(file, None, options.with_settings(overrides, setting))
    with out_folder(out, spec.model.name, "explain") as folder, terminal.make_progress() as progress:
        explanation = run_explain(spec.model, images, shown, folder, progress, spec.seed)
    if as_json:
        terminal.print_line(to_json(explanation).decode().rstrip())
    else:
        for path in explanation.files:
            terminal.print_line(path)
