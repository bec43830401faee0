"""How op families look in pictures: few enough to be told apart, by colour and by hatch or marker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FamilyLook:
    """Op families that are drawn alike."""

    title: str
    kinds: tuple[str, ...]
    """See :data:`edgevit.spec.recipe.OpKind`."""
    colour: str
    hatch: str
    marker: str


# Okabe and Ito's colour-blind-safe palette; hatch and marker carry the same information.
FAMILY_LOOKS = (
    FamilyLook("linear", ("linear",), "#0072B2", "", "o"),
    FamilyLook("convolution", ("conv",), "#E69F00", "////", "s"),
    FamilyLook("depthwise convolution", ("depthwise_conv",), "#009E73", "....", "^"),
    FamilyLook("attention product", ("matmul",), "#D55E00", "\\\\\\\\", "D"),
    FamilyLook("normalization, softmax", ("normalization", "softmax"), "#CC79A7", "xxxx", "P"),
    FamilyLook("activation", ("activation",), "#56B4E9", "||||", "v"),
    FamilyLook("element-wise, pooling", ("elementwise", "reduction", "pooling"), "#F0E442", "----", "X"),
)
DATA_MOVEMENT = FamilyLook("data movement, conversion", (), "#999999", "++++", "*")
"""All other families."""


def look_of(kind: str) -> FamilyLook:
    """Returns how an op family is drawn."""
    return next((look for look in FAMILY_LOOKS if kind in look.kinds), DATA_MOVEMENT)


def looks_of(kinds: Iterable[str]) -> tuple[FamilyLook, ...]:
    """Returns the looks of op families, each once, in the order of ``FAMILY_LOOKS``."""
    found = {look_of(kind) for kind in kinds}
    return tuple(look for look in (*FAMILY_LOOKS, DATA_MOVEMENT) if look in found)
