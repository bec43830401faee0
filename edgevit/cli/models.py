"""``edgevit models``: lists the bundled models and timm's."""

from __future__ import annotations

import fnmatch
from typing import Annotated

import typer

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
    "vit_": "ViT",
}
"""Families whose smallest member is converted and checked on every backend, by the prefix of timm's names."""


def models(
    pattern: Annotated[str, typer.Argument(help="A name, a part of one, or a pattern with * and ?.")] = "*",
) -> None:
    """List the models: bundled ones and timm's.

    Where the note says "verified family", the family's smallest member is converted and checked on every backend. Your
    own model is named as "package.module:factory".

    \b
    Example:
      edgevit models "vit_tiny*"
    """
    from edgevit.cli import terminal
    from edgevit.errors import unknown_name
    from edgevit.model.bundled import BUNDLED_MODELS

    names = [*sorted(BUNDLED_MODELS), *_timm_names()]
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = fnmatch.filter(names, wanted)
    if not found:
        raise unknown_name("model", pattern, names, next_step="`edgevit models` lists all")
    terminal.print_table(("model", "note"), [(name, _note(name)) for name in found])


def _note(name: str) -> str:
    from edgevit.model.bundled import BUNDLED_MODELS

    if name in BUNDLED_MODELS:
        return "bundled, with weights"
    family = next((family for start, family in VERIFIED_FAMILIES.items() if _begins(name, start)), None)
    return f"verified family: {family}" if family else ""


def _begins(name: str, start: str) -> bool:
    rest = name.removeprefix(start)
    return rest != name and (not rest[:1].isalpha() or start.endswith(("_b", "_lite")))


def _timm_names() -> list[str]:
    """timm's models; none, with a message on stderr, where timm is not installed."""
    from edgevit.cli import terminal
    from edgevit.measure.host import version_of

    if version_of("timm") is None or version_of("torch") is None:
        terminal.print_message("timm is not installed, so only the bundled models are listed")
        terminal.print_message("hint: pip install 'edgevit[compress]'")
        return []
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    import timm

    return sorted(timm.list_models())
