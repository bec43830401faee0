"""``edgevit models``: lists the bundled models and timm's."""

from __future__ import annotations

import fnmatch
from typing import Annotated

import typer

from edgevit.cli import options

VERIFIED_FAMILIES = {
    "coatnet_": "CoAtNet",
    "convnext_": "ConvNeXt",
    "deit_": "DeiT",
    "edgenext_": "EdgeNeXt",
    "efficientformer_": "EfficientFormer",
    "efficientnet_b": "EfficientNet",
    "efficientnet_lite": "EfficientNet-Lite",
    "fastvit": "FastViT",
    "levit_": "LeViT",
    "mixer_": "MLP-Mixer",
    "mobilenetv2_": "MobileNetV2",
    "mobilenetv3_": "MobileNetV3",
    "mobilenetv4_": "MobileNetV4",
    "mobilevit_": "MobileViT",
    "pvt_v2": "PVTv2",
    "repvit_": "RepViT",
    "resnet": "ResNet",
    "swin_": "Swin",
    "tiny_vit_": "TinyViT",
    "vgg": "VGG",
    **dict.fromkeys(("vit_tiny_", "vit_small_", "vit_base_", "vit_large_"), "ViT"),
}
"""Families whose smallest member is converted and checked on every backend, by the prefix of timm's names."""


def models(
    pattern: Annotated[str, typer.Argument(help="A name, a part of one, or a pattern with * and ?.")] = "*",
    input_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8192,
            rich_help_panel=options.MODEL,
            help="Side in pixels, of the card; the model's own when not given.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the models, or show the card of one.

    The list has bundled models and timm's. The card, of a whole name, has parameters, MACs at an input size, preprocessing, and which passes apply.

    Where the note says "verified family", the family's smallest member is converted and checked on every backend. Your
    own model is named as "package.module:factory".

    \b
    Example:
      edgevit models "vit_tiny*"
      edgevit models vit_tiny_patch16_224 --input-size 192
    """
    from edgevit.cli import terminal
    from edgevit.errors import UsageError, unknown_name
    from edgevit.model.bundled import BUNDLED_MODELS

    if ":" in pattern or pattern.endswith(".pt2"):
        _print_card(pattern, input_size, as_json)
        return
    names = [*sorted(BUNDLED_MODELS), *_timm_names()]
    if pattern in names:
        _print_card(pattern, input_size, as_json)
        return
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = fnmatch.filter(names, wanted)
    if not found:
        raise unknown_name("model", pattern, names, next_step="`edgevit models` lists all")
    if input_size:
        raise UsageError("--input-size is for the card of one model", f"give a whole name, such as {found[0]}")
    if as_json:
        terminal.print_json({"models": {name: note_of(name) for name in found}})
        return
    terminal.print_table(("model", "note"), [(name, note_of(name)) for name in found])


def _print_card(name: str, input_size: int | None, as_json: bool) -> None:
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.commands.models import describe_model
    from edgevit.results.document import to_document
    from edgevit.results.output import outputs_line

    card = describe_model(name, (input_size, input_size) if input_size else None)
    if as_json:
        terminal.print_json(to_document(card))
        return
    contract = card.preprocessing
    height, width = contract.input_size
    rows = [
        ("architecture", "transformer" if card.transformer else "convolutional network"),
        ("note", note_of(name) or "no family that is checked on every backend"),
        ("parameters", units.count(card.params)),
        ("input", f"{height} x {width} pixels" + (f", {contract.channels} channels" if contract.channels != 3 else "")),
        ("MACs", units.count(card.macs)),
        ("classes", str(card.classes)) if card.classes else ("outputs", outputs_line(card.outputs)),
        ("mean", ", ".join(f"{value:g}" for value in contract.mean)),
        ("std", ", ".join(f"{value:g}" for value in contract.std)),
        ("resizing", f"{contract.interpolation}, crop {contract.crop_pct:g} ({contract.crop_mode})"),
        *((each.name, each.refusal or "yes") for each in card.passes),
    ]
    terminal.print_table((name, ""), rows)


def note_of(name: str) -> str:
    """Returns what is known of a model by its name: bundled, or of a family that is checked on every backend; or ""."""
    from edgevit.model.bundled import BUNDLED_MODELS

    if name in BUNDLED_MODELS:
        return "bundled, with weights"
    family = next((family for start, family in VERIFIED_FAMILIES.items() if _begins(name, start)), None)
    return f"verified family: {family}" if family else ""


def _begins(name: str, start: str) -> bool:
    rest = name.removeprefix(start)
    return rest != name and (not rest[:1].isalpha() or start.endswith(("_", "_b", "_lite")))


def _timm_names() -> list[str]:
    """timm's models; none, with a message on stderr, where timm is not installed."""
    from edgevit.cli import terminal
    from edgevit.run.packages import version_of

    if version_of("timm") is None or version_of("torch") is None:
        terminal.print_message("timm is not installed, so only the bundled models are listed")
        terminal.print_message("hint: pip install 'edgevit[compress]'")
        return []
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    import timm

    return sorted(timm.list_models())
