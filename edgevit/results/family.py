"""Families of vision networks: how much of the structure of images they have built in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Family: TypeAlias = Literal["cnn", "hybrid", "vit"]
"""A CNN mixes pixels by convolutions alone. A hybrid has attention and convolutions, at least in its stem. A ViT cuts the image
into patches and has attention (or, as a mixer, linear layers) alone: it has to learn from data which patches are neighbours."""

FAMILY_TITLES: Mapping[Family, str] = {"cnn": "CNN", "hybrid": "hybrid", "vit": "ViT"}
"""As people write them."""
